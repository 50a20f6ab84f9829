package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTimeJSON(t *testing.T) {
	tests := []struct {
		name string
		at   time.Time
		want string
	}{
		{"zero", time.Time{}, `null`},
		{"whole second", time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC), `"2026-01-15T09:30:00.000000Z"`},
		{"trailing zeros stay", time.Date(2026, 1, 15, 9, 30, 0, 120_000_000, time.UTC), `"2026-01-15T09:30:00.120000Z"`},
		{"nanoseconds are cut", time.Date(2026, 1, 15, 9, 30, 0, 123_456_789, time.UTC), `"2026-01-15T09:30:00.123456Z"`},
		{"other zones become UTC", time.Date(2026, 1, 15, 10, 30, 0, 0, time.FixedZone("", 3600)), `"2026-01-15T09:30:00.000000Z"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(Time(tt.at))
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %s, %v; want %s", got, err, tt.want)
			}
			var back Time
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if want := tt.at.UTC().Truncate(time.Microsecond); !time.Time(back).Equal(want) {
				t.Errorf("read back %v, want %v", time.Time(back), want)
			}
			if want := strings.Trim(strings.TrimPrefix(tt.want, "null"), `"`); Time(tt.at).String() != want {
				t.Errorf("String: got %q, want %q", Time(tt.at), want)
			}
		})
	}
}

func TestTimeRefusesWhatItCannotSay(t *testing.T) {
	if got, err := json.Marshal(Time(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))); err == nil {
		t.Errorf("year 10000 was written as %s", got)
	}
	for _, in := range []string{`"yesterday"`, `""`, `7`, `"2026-01-15 09:30:00"`, `{}`} {
		var at Time
		if err := json.Unmarshal([]byte(in), &at); err == nil {
			t.Errorf("%s was read as %v", in, at)
		}
	}
}

func TestUUID(t *testing.T) {
	if got := UUID(""); got != NilUUID {
		t.Errorf("empty: got %q", got)
	}
	const id = "6f0a1b2c-0000-4000-8000-0123456789ab"
	if got := UUID(id); got != id {
		t.Errorf("got %q", got)
	}
}

func TestParseUUID(t *testing.T) {
	const want = "6f0a1b2c-dead-4000-8000-0123456789ab"
	for _, in := range []string{want, strings.ToUpper(want)} {
		if got, ok := ParseUUID(in); !ok || got != want {
			t.Errorf("%q: got %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{
		"", "6f0a1b2cdead400080000123456789ab", "{" + want + "}", "urn:uuid:" + want, want + " ", "g" + want[1:],
		strings.Replace(want, "-", "_", 1), strings.Replace(want, "6", "-", 1), want[:35],
	} {
		if got, ok := ParseUUID(in); ok || got != "" {
			t.Errorf("%q: got %q, %v", in, got, ok)
		}
	}
}

func FuzzParseUUID(f *testing.F) {
	f.Add(NilUUID)
	f.Add("6F0A1B2C-dead-4000-8000-0123456789ab")
	f.Add("not an id")
	f.Fuzz(func(t *testing.T, in string) {
		id, ok := ParseUUID(in)
		if !ok {
			return
		}
		if again, ok := ParseUUID(id); !ok || again != id || !strings.EqualFold(id, in) {
			t.Errorf("%q became %q, then %q", in, id, again)
		}
	})
}
