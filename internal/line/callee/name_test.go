package callee

import "testing"

func TestAddressOf(t *testing.T) {
	local := func(host string) bool { return host == "here" }
	for uri, want := range map[string]string{
		"sip:Bob@here":                       "extension Bob",
		"sip:extension:Bob@here":             "extension Bob",
		"sip:agent%3Aabc@here;transport=tcp": "agent abc",
		"SIP:Agent:abc@here":                 "agent abc",
		"sip:agent:@here":                    "extension agent:",
		"sip:agent:abc@there":                "sip agent:abc@there",
		"sip:+4930@here":                     "tel +4930",
		"sip:+4930@there":                    "sip +4930@there",
		"tel:+4930":                          "tel +4930",
		"bob@there":                          "sip bob@there",
	} {
		if got := AddressOf(uri, local); got.Type+" "+got.Target != want {
			t.Errorf("%s: %s %s, want %s", uri, got.Type, got.Target, want)
		}
	}
	if got := AddressOf("sip:bob@here", nil); got.Type != "sip" {
		t.Errorf("without a host of ours: %s", got.Type)
	}
}

func FuzzAddressOf(f *testing.F) {
	for _, seed := range []string{"sip:agent:abc@here", "sip:agent%3Aabc@here", "sip:İİİ:@here", "tel:+1", "", ":@", "sip:EXTENSION%3a@here"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if got := AddressOf(uri, func(string) bool { return true }); got.Type == "" {
			t.Errorf("%q has no type", uri)
		}
	})
}
