// Package voice lets programs speak: flite for English, espeak-ng for every language that it has. It runs them for one text at a time in a
// folder of their own, without a shell, with low priority, for a limited time and a few at once, and reads SSML for them. It owns no goroutine
// that outlives a call. What becomes of the sound is left to others.
package voice

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/prompt/decode"
)

// Options of Open.
type Options struct {
	Dir      string        // for short-lived files
	Language string        // the default one; "" is en-US
	Timeout  time.Duration // of a program; 0 is 20 s
	Longest  time.Duration // of what is spoken; 0 is 10 min
	AtOnce   int           // programs that run; 0 is 2
}

// Speaker runs programs. It may be used from any goroutine.
type Speaker struct {
	o     Options
	slots chan struct{}
	mu    sync.Mutex
	found map[string]installed
}

// installed is a program that was found.
type installed struct {
	program
	path   string
	voices []known
}

// Choice is a voice of a program. Two equal choices speak alike.
type Choice struct {
	Program, Voice string
}

// Open returns a speaker. Programs are looked for when they are needed.
func Open(o Options) *Speaker {
	if o.Language == "" {
		o.Language = "en-US"
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Longest == 0 {
		o.Longest = 10 * time.Minute
	}
	if o.AtOnce == 0 {
		o.AtOnce = 2
	}
	return &Speaker{o: o, slots: make(chan struct{}, o.AtOnce), found: map[string]installed{}}
}

// tag is the form of a language tag (BCP 47), as far as voices need it.
var tag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)

func unavailable(format string, args ...any) error {
	return fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", format, args...)
}

// Choose finds who speaks the language ("" is the default one) with the voice: the name of one, or male, female, neutral, or "" for the
// language's first. provider names the program; "" is flite for English and espeak-ng for all else. It refuses with VOICE_UNAVAILABLE.
func (s *Speaker) Choose(ctx context.Context, language, provider, voice string) (Choice, error) {
	if language == "" {
		language = s.o.Language
	}
	if !tag.MatchString(language) {
		return Choice{}, unavailable("%.40q is no language tag: write it like en-US or de", language)
	}
	var programs []program
	for _, p := range []program{flite, espeak} {
		if provider == "" || strings.EqualFold(provider, p.name) {
			programs = append(programs, p)
		}
	}
	if len(programs) == 0 {
		return Choice{}, unavailable("there is no voice provider %.40q: use flite or espeak-ng, or leave it out", provider)
	}
	there := false
	for _, p := range programs {
		in, ok := s.look(ctx, p)
		if !ok {
			continue
		}
		there = true
		if name, ok := p.choose(in.voices, strings.ToLower(language), strings.ToLower(voice)); ok {
			return Choice{p.name, name}, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Choice{}, err
	}
	if !there {
		return Choice{}, unavailable("no program that speaks is installed: install the Debian packages flite and espeak-ng")
	}
	if voice != "" {
		return Choice{}, unavailable("nobody speaks %s with the voice %.40q: use male or female, or leave it out", language, voice)
	}
	return Choice{}, unavailable("nobody speaks %s: use a language that espeak-ng --voices lists", language)
}

// look asks for a program once and remembers it when it is there.
func (s *Speaker) look(ctx context.Context, p program) (installed, bool) {
	s.mu.Lock()
	in, ok := s.found[p.name]
	s.mu.Unlock()
	if ok {
		return in, true
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	in.program = p
	if in.path, in.voices, ok = p.voices(ctx); ok {
		s.mu.Lock()
		s.found[p.name] = in
		s.mu.Unlock()
	}
	return in, ok
}

// Speak returns the pieces as sound, one after the other, at one rate.
func (s *Speaker) Speak(ctx context.Context, c Choice, pieces []Piece) (samples []int16, rate int, err error) {
	s.mu.Lock()
	in, ok := s.found[c.Program]
	s.mu.Unlock()
	if !ok {
		return nil, 0, unavailable("%.40q was not chosen: choose before you speak", c.Program)
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	defer func() { <-s.slots }()
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	dir, err := os.MkdirTemp(s.o.Dir, "speak-")
	if err != nil {
		return nil, 0, fmt.Errorf("make a folder to speak in: %w", err)
	}
	defer os.RemoveAll(dir)
	var leading time.Duration // a pause before anything gave the rate
	for _, piece := range pieces {
		if piece.Text == "" {
			leading += piece.Pause
			continue
		}
		spoken, spokenRate, err := s.piece(ctx, in, c.Voice, dir, piece.Text)
		if err != nil {
			return nil, 0, err
		}
		rate = spokenRate
		samples = append(samples, make([]int16, int(leading.Milliseconds())*rate/1000)...)
		samples = append(samples, spoken...)
		samples = append(samples, make([]int16, int(piece.Pause.Milliseconds())*rate/1000)...)
		leading = 0
		if len(samples) > int(s.o.Longest.Milliseconds())*rate/1000 {
			return nil, 0, invalid("it would last longer than %v: divide the text", s.o.Longest)
		}
	}
	return samples, rate, nil
}

// piece lets the program write one text to a file.
func (s *Speaker) piece(ctx context.Context, in installed, voice, dir, text string) ([]int16, int, error) {
	from, to := filepath.Join(dir, "text"), filepath.Join(dir, "sound.wav")
	if err := os.WriteFile(from, []byte(text+"\n"), 0o600); err != nil {
		return nil, 0, fmt.Errorf("write the text to speak: %w", err)
	}
	defer os.Remove(to)
	if err := s.speak(ctx, in, in.args(voice, from, to)); err != nil {
		return nil, 0, err
	}
	data, err := os.ReadFile(to)
	if err != nil {
		return nil, 0, unavailable("%s said nothing: try another voice", in.name)
	}
	samples, rate, err := decode.File(ctx, data, s.o.Longest)
	if err != nil {
		return nil, 0, fmt.Errorf("read what %s said: %w", in.name, err)
	}
	return samples, rate, nil
}
