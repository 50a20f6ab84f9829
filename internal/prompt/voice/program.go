package voice

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// program is one that speaks.
type program struct {
	name   string
	binary string
	list   []string // the arguments that print its voices
	parse  func(output string) []known
	choose func(voices []known, language, voice string) (string, bool)
	args   func(voice, in, out string) []string
}

// known is a voice that a program offers.
type known struct {
	name      string
	languages []string // lower case, the first is its own
}

var flite = program{
	name: "flite", binary: "flite", list: []string{"-lv"},
	parse: func(output string) (voices []known) {
		_, names, _ := strings.Cut(output, ":")
		for _, name := range strings.Fields(names) {
			voices = append(voices, known{name, []string{"en"}})
		}
		return voices
	},
	choose: chooseFlite,
	args:   func(voice, in, out string) []string { return []string{"-voice", voice, "-f", in, "-o", out} },
}

// chooseFlite takes rms for a man, the clearest of flite's voices, and slt for a woman. All are American.
func chooseFlite(voices []known, language, voice string) (string, bool) {
	if base, _, _ := strings.Cut(language, "-"); base != "en" {
		return "", false
	}
	switch voice {
	case "", "male", "neutral":
		return pick(voices, "rms", "kal16", "kal")
	case "female":
		return pick(voices, "slt")
	}
	return pick(voices, voice)
}

func pick(voices []known, names ...string) (string, bool) {
	for _, name := range names {
		if slices.ContainsFunc(voices, func(k known) bool { return strings.EqualFold(k.name, name) }) {
			return name, true
		}
	}
	return "", false
}

var espeak = program{
	name: "espeak-ng", binary: "espeak-ng", list: []string{"--voices"},
	parse:  parseEspeak,
	choose: chooseEspeak,
	args:   func(voice, in, out string) []string { return []string{"-v", voice, "-b", "1", "-f", in, "-w", out} },
}

var otherLanguage = regexp.MustCompile(`\(([a-z0-9-]+) [0-9]+\)`)

// parseEspeak reads a table whose columns are priority, language, age and gender, name, file, and other languages in brackets.
func parseEspeak(output string) (voices []known) {
	for line := range strings.Lines(output) {
		f := strings.Fields(line)
		if len(f) < 5 || f[0] == "Pty" {
			continue
		}
		k := known{name: f[3], languages: []string{strings.ToLower(f[1])}}
		for _, m := range otherLanguage.FindAllStringSubmatch(line, -1) {
			k.languages = append(k.languages, m[1])
		}
		voices = append(voices, k)
	}
	return voices
}

// chooseEspeak takes the voice whose language is nearest: the same one, then its language without the country, then another country's. A gender
// changes the timbre.
func chooseEspeak(voices []known, language, voice string) (string, bool) {
	timbre := ""
	switch voice {
	case "", "male", "neutral":
	case "female":
		timbre = "+f3"
	default:
		for _, k := range voices {
			if strings.EqualFold(k.name, voice) {
				return k.languages[0], true
			}
		}
		return "", false
	}
	base, _, _ := strings.Cut(language, "-")
	if base == "zh" {
		base = "cmn"
	}
	for _, fits := range []func(k known) bool{
		func(k known) bool { return k.languages[0] == language },
		func(k known) bool { return slices.Contains(k.languages, language) },
		func(k known) bool { return k.languages[0] == base },
		func(k known) bool { return slices.Contains(k.languages, base) },
		func(k known) bool { return strings.HasPrefix(k.languages[0], base+"-") },
	} {
		if i := slices.IndexFunc(voices, fits); i >= 0 {
			return voices[i].languages[0] + timbre, true
		}
	}
	return "", false
}

// voices asks the program what it has; ok is false when it is not installed.
func (p program) voices(ctx context.Context) (path string, voices []known, ok bool) {
	path, err := exec.LookPath(p.binary)
	if err != nil {
		return "", nil, false
	}
	out, err := run(ctx, exec.CommandContext(ctx, path, p.list...))
	if err != nil {
		return "", nil, false
	}
	voices = p.parse(string(out))
	return path, voices, len(voices) > 0
}
