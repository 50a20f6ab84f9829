package links_test

import (
	"strings"
	"testing"
	"time"

	"parley/internal/api/links"
	"parley/internal/fault"
)

var file = links.File{Recording: "6c8dd8f6-9f0a-5c0b-9d0e-6b8f3b0f7a51", Kind: "participant", Tag: "out", Format: "wav", Ends: 1000}

func TestToken(t *testing.T) {
	s, now := links.New(nil), time.Unix(999, 0)
	token := s.Token(file)
	if got, err := s.Open(token, now); err != nil || got != file {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Open(token, time.Unix(1000, 0)); fault.ReasonOf(err) != "LINK_EXPIRED" {
		t.Errorf("after its end: %v", err)
	}
	if _, err := links.New(nil).Open(token, now); fault.ReasonOf(err) != "LINK_INVALID" {
		t.Errorf("with another key: %v", err)
	}
	for i := range token {
		if bad := token[:i] + "~" + token[i+1:]; bad != token {
			if _, err := s.Open(bad, now); fault.ReasonOf(err) != "LINK_INVALID" {
				t.Fatalf("%s: %v", bad, err)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := links.New([]byte(strings.Repeat("k", 32)))
	f.Add(s.Token(file))
	f.Add("")
	f.Add(".")
	f.Add("e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := s.Open(token, time.Unix(0, 0)); err == nil && token != s.Token(got) {
			t.Errorf("%q is taken for %+v", token, got)
		}
	})
}
