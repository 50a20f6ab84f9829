package voice

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/prompt/loudness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRead(t *testing.T) {
	const half = 500 * time.Millisecond
	for text, want := range map[string][]Piece{
		"Hello there.":                 {{"Hello there.", 0}},
		"  two\nlines\x07 ":            {{"two lines", 0}},
		"1 < 2 & 3 > 2":                {{"1 < 2 & 3 > 2", 0}},
		"[[pho]]":                      {{"[ [pho]]", 0}},
		"<speak>Hi <b>you</b></speak>": {{"Hi you", 0}},
		`<?xml version="1.0"?><speak>Wait<break/>a bit<break time="1.5s"/>longer</speak>`:                      {{"Wait", half}, {"a bit", 1500 * time.Millisecond}, {"longer", 0}},
		`<speak><break time="300ms"/>late<break time="99s"/></speak>`:                                          {{"", 300 * time.Millisecond}, {"late", longBreak}},
		`<speak><sub alias="World Wide Web">WWW</sub> Consortium</speak>`:                                      {{"World Wide Web Consortium", 0}},
		`<speak><say-as interpret-as="digits">123</say-as></speak>`:                                            {{"1, 2, 3,", 0}},
		`<speak><p>One</p><p>Two!</p><s>three</s></speak>`:                                                     {{"One. Two! three.", 0}},
		`<speak>a<audio src="file:///etc/passwd"><desc>no</desc>or this</audio><metadata>x</metadata></speak>`: {{"aor this", 0}},
		`<speak xml:lang="en"><prosody rate="slow">fish &amp; chips</prosody></speak>`:                         {{"fish & chips", 0}},
	} {
		if got, err := Read(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " \n", "...", "\xff", strings.Repeat("a", mostText+1), "<speak>", "<speak></speak>", "<speak>a</b></speak>", "<speak>a &nbsp; b</speak>",
		"<?xml version='1.0'?><html>a</html>", "<!DOCTYPE x>", `<speak>a<break time="5"/></speak>`, `<speak>a<break time="-5s"/></speak>`, `<speak>a<break strength="odd"/></speak>`,
		"<speak><!DOCTYPE x [<!ENTITY a 'b'>]>a</speak>", "<speak>" + strings.Repeat("a<break/>", mostPieces+1) + "</speak>", "<speakers>a</speakers>",
	} {
		if got, err := Read(text); text != "<!DOCTYPE x>" && fault.ReasonOf(err) != "TEXT_INVALID" {
			t.Errorf("%.60q: %v, %v", text, got, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("plain")
	f.Add(`<speak>a<break time="1s"/><sub alias="b">c</sub><say-as interpret-as="digits">1</say-as></speak>`)
	f.Fuzz(func(t *testing.T, text string) {
		pieces, err := Read(text)
		if err != nil {
			if fault.ReasonOf(err) != "TEXT_INVALID" {
				t.Error(err)
			}
			return
		}
		spoken := false
		for _, p := range pieces {
			spoken = spoken || p.Text != ""
			if strings.Contains(p.Text, "[[") || strings.ContainsAny(p.Text, "\x00\n") || p.Pause < 0 || p.Pause > longBreak {
				t.Errorf("%q", p)
			}
		}
		if !spoken || len(pieces) > mostPieces {
			t.Errorf("%d pieces", len(pieces))
		}
	})
}

// fake puts programs in front of the real ones: scripts that do what a test wants.
func fake(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

const listing = `if [ "$1" = --voices ]; then cat <<'EOF'
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  cmn             --/M      Chinese_(Mandarin,_latin_as_English) sit/cmn              (zh-cmn 5)(zh 5)
 5  de              --/M      German             gmw/de
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
 5  es-419          --/M      Spanish_(Latin_America) roa/es-419           (es-mx 6)(es 6)
 5  pt-br           --/M      Portuguese_(Brazil) roa/pt-BR            (pt 6)
EOF
exit 0; fi
`

func TestChoose(t *testing.T) {
	fake(t, map[string]string{"flite": "echo 'Voices available: kal rms slt '\n", "espeak-ng": listing})
	s := Open(Options{Dir: t.TempDir()})
	for _, c := range []struct {
		language, provider, voice string
		want                      Choice
	}{
		{"", "", "", Choice{"flite", "rms"}},
		{"en-GB", "", "female", Choice{"flite", "slt"}},
		{"en", "flite", "KAL", Choice{"flite", "kal"}},
		{"en-GB", "espeak-ng", "", Choice{"espeak-ng", "en-gb"}},
		{"en-AU", "espeak-ng", "female", Choice{"espeak-ng", "en-gb+f3"}},
		{"de-AT", "", "", Choice{"espeak-ng", "de"}},
		{"DE", "", "male", Choice{"espeak-ng", "de"}},
		{"zh-CN", "", "", Choice{"espeak-ng", "cmn"}},
		{"es-MX", "", "", Choice{"espeak-ng", "es-419"}},
		{"pt", "", "", Choice{"espeak-ng", "pt-br"}},
		{"de", "", "german", Choice{"espeak-ng", "de"}},
	} {
		if got, err := s.Choose(context.Background(), c.language, c.provider, c.voice); got != c.want || err != nil {
			t.Errorf("%q %q %q: %v %v, want %v", c.language, c.provider, c.voice, got, err, c.want)
		}
	}
	for _, c := range [][3]string{
		{"xx", "", ""}, {"de", "flite", ""}, {"en", "festival", ""}, {"en", "", "../voice"}, {"en_US", "", ""}, {"-o", "", ""}, {"de", "", "-w/tmp/x"}, {"de", "", "http://x/"},
	} {
		if got, err := s.Choose(context.Background(), c[0], c[1], c[2]); fault.ReasonOf(err) != "VOICE_UNAVAILABLE" {
			t.Errorf("%q: %v %v", c, got, err)
		}
	}
}

func TestNoProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := Open(Options{Dir: t.TempDir()})
	if _, err := s.Choose(context.Background(), "en", "", ""); fault.ReasonOf(err) != "VOICE_UNAVAILABLE" || !strings.Contains(err.Error(), "install") {
		t.Error(err)
	}
}

// TestStuck says that a program that never ends is killed, with what it has started.
func TestStuck(t *testing.T) {
	fake(t, map[string]string{"espeak-ng": listing + "sleep 1000 & sleep 1000\n"})
	s := Open(Options{Dir: t.TempDir(), Timeout: 500 * time.Millisecond})
	c, err := s.Choose(context.Background(), "de", "", "")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, _, err = s.Speak(context.Background(), c, []Piece{{Text: "hallo"}})
	if fault.ReasonOf(err) != "VOICE_UNAVAILABLE" || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// TestFailing covers programs that fail, say nothing, and write nonsense.
func TestFailing(t *testing.T) {
	for script, reason := range map[string]string{
		"exit 3\n": "VOICE_UNAVAILABLE",
		"exit 0\n": "VOICE_UNAVAILABLE",
		`for x; do last=$x; done; echo nonsense > "$last"` + "\n": "PROMPT_UNREADABLE",
	} {
		fake(t, map[string]string{"espeak-ng": listing + script})
		dir := t.TempDir()
		s := Open(Options{Dir: dir})
		c, err := s.Choose(context.Background(), "de", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = s.Speak(context.Background(), c, []Piece{{Text: "hallo"}}); fault.ReasonOf(err) != reason {
			t.Errorf("%q: %v", script, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%q leaves %v", script, left)
		}
	}
}

// TestReal lets the real programs speak.
func TestReal(t *testing.T) {
	for _, c := range []struct{ program, language, voice string }{
		{"flite", "en-US", ""}, {"flite", "en", "female"}, {"espeak-ng", "de-DE", ""}, {"espeak-ng", "fr", "female"}, {"espeak-ng", "zh-CN", ""},
	} {
		if _, err := exec.LookPath(c.program); err != nil {
			t.Logf("there is no %s", c.program)
			continue
		}
		s := Open(Options{Dir: t.TempDir()})
		choice, err := s.Choose(context.Background(), c.language, c.program, c.voice)
		if err != nil {
			t.Error(err)
			continue
		}
		text := "Bonjour, 1 2 3; $(reboot) `id` \"quoted\" -o /etc/passwd"
		short, rate, err := s.Speak(context.Background(), choice, []Piece{{Text: text}})
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		long, _, err := s.Speak(context.Background(), choice, []Piece{{Pause: time.Second}, {Text: text, Pause: 2 * time.Second}, {Text: "end"}})
		if err != nil || len(long) < len(short)+3*rate {
			t.Errorf("%v: %d samples with pauses, %d without, %v", c, len(long), len(short), err)
		}
		if level := loudness.Active(short, rate); level < -45 || len(short) < rate {
			t.Errorf("%v: %d samples with %.1f dBov", c, len(short), level)
		}
	}
}
