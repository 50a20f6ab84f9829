package way

import (
	"testing"

	"parley/internal/call"
)

func TestCaller(t *testing.T) {
	for _, c := range []struct{ says, extension, want string }{
		{"sip:ada@example.com", "ada", "sip:ada@example.com"},
		{"sip:anonymous@anonymous.invalid", "ada", "sip:anonymous@anonymous.invalid"},
		{"sip:boss@bank.example", "ada", "extension:ada"},
		{"sip:+15551234@bank.example", "ada", "extension:ada"},
		{"sip:Ada@example.com", "ada", "extension:ada"},
		{"sip:example.com", "ada", "extension:ada"},
		{"tel:ada", "ada", "extension:ada"},
		{"sip:boss@bank.example", "", "sip:boss@bank.example"},
	} {
		kind, target := c.says[:3], c.says[4:]
		got := Caller(call.Address{Type: kind, Target: target, TargetName: "Ada"}, c.extension)
		if got.Type+":"+got.Target != c.want || got.TargetName != "Ada" {
			t.Errorf("%s of %q is shown as %+v, want %s", c.says, c.extension, got, c.want)
		}
	}
}
