package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestChecksOfUUIDs(t *testing.T) {
	const id = "6f0a1b2c-dead-4000-8000-0123456789ab"
	tests := []struct {
		in       string
		want     string
		optional bool // accepted where it may be left out
		required bool // accepted where it may not
	}{
		{id, id, true, true},
		{strings.ToUpper(id), id, true, true},
		{"", "", true, false},
		{NilUUID, "", true, false},
		{"x", "", false, false},
	}
	for _, tt := range tests {
		if got, err := OptionalUUID(tt.in); got != tt.want || (err == nil) != tt.optional {
			t.Errorf("OptionalUUID(%q): %q, %v", tt.in, got, err)
		}
		if got, err := RequiredUUID(tt.in); got != tt.want || (err == nil) != tt.required {
			t.Errorf("RequiredUUID(%q): %q, %v", tt.in, got, err)
		}
	}
}

func TestText(t *testing.T) {
	for in, ok := range map[string]bool{
		"": true, "äöü": true, "line\nline": true, "äöüß": false, "\xff": false, "a\x00": false,
	} {
		most := 3
		if strings.HasPrefix(in, "line") {
			most = 9
		}
		if err := Text(in, most); (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestOneOf(t *testing.T) {
	for in, want := range map[string]string{"": "open", "open": "open", "locked": "locked", "ajar": ""} {
		if got, err := OneOf(in, "open", "locked"); got != want || (err != nil) != (in == "ajar") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestObject(t *testing.T) {
	for in, want := range map[string]string{
		"": "{}", "null": "{}", " null ": "{}", "{}": "{}", `{ "a" : [1, 2] }`: `{"a":[1,2]}`, `{"a":"<"}`: `{"a":"\u003c"}`,
		"[]": "", "7": "", `"{}"`: "", "{": "", "{}{}": "", "{\"a\":\"\xff\"}": "",
		`{"a":"` + strings.Repeat("x", 100) + `"}`: "",
	} {
		got, err := Object([]byte(in), 100)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestIDs(t *testing.T) {
	for want, in := range map[string][]string{"[]": nil, `["a"]`: {"a"}} {
		if got, err := json.Marshal(IDs(in)); err != nil || string(got) != want {
			t.Errorf("%v: %s, %v", in, got, err)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":"<\u2028>"}`))
	f.Add([]byte(`null`))
	f.Add([]byte("{\"a\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := Object(in, 1<<10)
		if err != nil {
			return
		}
		stored, err := json.Marshal(map[string]json.RawMessage{"data": out})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]json.RawMessage
		if err := json.Unmarshal(stored, &back); err != nil || string(back["data"]) != string(out) {
			t.Fatalf("%q came back as %q, %v", out, back["data"], err)
		}
	})
}

func TestAddressesOfSounds(t *testing.T) {
	for s, ok := range map[string]bool{
		"http://a/b.wav": true, "https://a:1/?b": true, "blob:b.wav": true, "blob:a/b": true,
		"": false, "blob:": false, "blob:\x00": false, "file:///etc/passwd": false, "http://": false, "https://a:b@c/": false, "//a/b": false,
		"http://a/" + strings.Repeat("x", URLMax): false, "blob:" + strings.Repeat("x", URLMax+1): false,
	} {
		if err := Sound(s); (err == nil) != ok {
			t.Errorf("%.40q: %v", s, err)
		}
	}
}
