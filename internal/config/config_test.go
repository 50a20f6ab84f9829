package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "parley.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDefaultsAreValid(t *testing.T) {
	l, err := Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ip, low, high, err := l.Media()
	if err != nil || ip.String() != "127.0.0.1" || low != 20000 || high != 29999 {
		t.Errorf("media %v %d-%d %v", ip, low, high, err)
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "http: 127.0.0.1:1\nsip: 127.0.0.1:2\ndata: /file\nroom:\n  media_timeout: 7s\n")
	env := []string{"PARLEY_SIP=127.0.0.1:3", "PARLEY_DATA=/env", "HOME=/root", "PARLEY_LIMITS_MEDIA_BUSY=0.5"}
	l, err := Load(file, env, map[string]string{"data": "/flag"})
	if err != nil {
		t.Fatal(err)
	}
	if l.HTTP != "127.0.0.1:1" || l.SIP != "127.0.0.1:3" || l.Data != "/flag" || l.Room.MediaTimeout != 7*time.Second || l.Limits.MediaBusy != 0.5 {
		t.Errorf("got %+v", l.Config)
	}
	origins := map[string]string{}
	for _, s := range l.Settings() {
		origins[s.Key] = s.Origin
	}
	for key, want := range map[string]string{"http": file, "sip": "PARLEY_SIP", "data": "--data", "log.level": "default"} {
		if origins[key] != want {
			t.Errorf("origin of %s is %q, want %q", key, origins[key], want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		env   []string
		flags map[string]string
		want  string
	}{
		"unknown key":       {file: "colour: red\n", want: `unknown key "colour"`},
		"unknown level":     {file: "room:\n  colour: red\n", want: `unknown key "room.colour"`},
		"not YAML":          {file: "a: [", want: "read configuration"},
		"unknown variable":  {env: []string{"PARLEY_COLOUR=red"}, want: "unknown variable PARLEY_COLOUR"},
		"address":           {flags: map[string]string{"http": "localhost"}, want: "setting http"},
		"dev and outside":   {flags: map[string]string{"dev": "true", "sip": "0.0.0.0:5060"}, want: "loopback"},
		"ports":             {flags: map[string]string{"media-ports": "9-3"}, want: "media.ports"},
		"unspecified media": {flags: map[string]string{"sip": "0.0.0.0:5060"}, want: "media.ip"},
		"duration":          {env: []string{"PARLEY_ROOM_MAX_AGE=24"}, want: "want a time with a unit"},
		"negative":          {env: []string{"PARLEY_ROOM_MAX_AGE=-1s"}, want: "above zero"},
		"half of TLS":       {env: []string{"PARLEY_SIP_TLS_CERT=a.pem"}, want: "sip_tls.key"},
		"short key":         {env: []string{"PARLEY_ACCESS_KEY=short"}, want: "16 or more"},
		"empty value":       {file: "http:\n", want: "has no value"},
		"level":             {env: []string{"PARLEY_LOG_LEVEL=loud"}, want: "log.level"},
		"no text":           {env: []string{"PARLEY_CHAT_TEXT=0"}, want: "chat.text"},
		"no messages":       {env: []string{"PARLEY_CHAT_PER_SENDER=-1"}, want: "chat.per_sender"},
		"short token key":   {env: []string{"PARLEY_API_TOKEN_KEY=short"}, want: "api.token_key"},
		"no media streams":  {env: []string{"PARLEY_API_MEDIA_STREAMS_PER_KEY=0"}, want: "api.media_streams_per_key"},
		"numbers":           {file: "calls_out:\n  allow_numbers: [49, x]\n", want: "calls_out.allow_numbers"},
		"SIP hosts":         {env: []string{"PARLEY_CALLS_OUT_ALLOW_SIP=a b"}, want: "calls_out.allow_sip"},
		"calls out":         {env: []string{"PARLEY_CALLS_OUT_CONCURRENT=-1"}, want: "calls_out.concurrent"},
		"share":             {env: []string{"PARLEY_LIMITS_MEDIA_BUSY=1.5"}, want: "limits.media_busy"},
	} {
		file := ""
		if c.file != "" {
			file = write(t, c.file)
		}
		_, err := Load(file, c.env, c.flags)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	l, err := Load("", []string{"PARLEY_ACCESS_KEY=0123456789abcdef"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Settings() {
		if strings.Contains(s.Value, "0123456789") {
			t.Errorf("%s shows the key", s.Key)
		}
	}
}

func TestEverySettingSaysWhy(t *testing.T) {
	l, _ := Load("", nil, nil)
	seen := map[string]bool{}
	for _, s := range l.Settings() {
		if s.Doc == "" || seen[s.Key] || seen[s.Env] {
			t.Errorf("setting %+v lacks a doc or is there twice", s)
		}
		seen[s.Key], seen[s.Env] = true, true
	}
}

func TestChanges(t *testing.T) {
	was, err := Load(write(t, "log: {level: debug}\naccess_key: 0123456789abcdef"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	is, err := Load(write(t, "log: {level: warn}\naccess_key: 0123456789abcdeg\nlimits: {calls: 7}"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := was.Changes(was); len(got) != 0 {
		t.Errorf("no change: %v", got)
	}
	live := map[string]bool{}
	for _, c := range was.Changes(is) {
		live[c.Key] = c.Live
		if c.Key == "access_key" && (c.From != c.To || strings.Contains(c.To, "0123")) {
			t.Errorf("a secret is told: %+v", c)
		}
	}
	if len(live) != 3 || !live["log.level"] || live["limits.calls"] || live["access_key"] {
		t.Errorf("changed: %v", live)
	}
}
