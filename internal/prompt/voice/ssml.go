package voice

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parley/internal/fault"
)

// Limits of a text.
const (
	mostText   = 5000 // characters
	mostPieces = 100
	longBreak  = 10 * time.Second
)

// Piece is a text to be spoken and the pause after it.
type Piece struct {
	Text  string
	Pause time.Duration
}

// Read returns what is to be spoken of a plain text or of SSML 1.1, which begins with <speak or <?xml. Of SSML the pauses of break are kept, the
// alias of sub, the letters of say-as (characters, spell-out, digits, telephone), the ends of p and s, and what audio has for those who cannot
// play it; emphasis, prosody, voice and language change nothing, their text is spoken. It refuses with TEXT_INVALID.
func Read(text string) ([]Piece, error) {
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text):
		return nil, invalid("the text is not UTF-8")
	case utf8.RuneCountInString(text) > mostText:
		return nil, invalid("the text has more than %d characters: divide it", mostText)
	}
	r := reader{}
	if strings.HasPrefix(text, "<speak") || strings.HasPrefix(text, "<?xml") {
		if err := r.document(text); err != nil {
			return nil, err
		}
	} else {
		r.text(text)
	}
	r.flush(0)
	switch {
	case !r.spoken:
		return nil, invalid("the text has nothing that can be spoken")
	case len(r.pieces) > mostPieces:
		return nil, invalid("the text has more than %d pauses: divide it", mostPieces)
	}
	return r.pieces, nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "TEXT_INVALID", "cannot speak: "+format, args...)
}

// reader gathers pieces.
type reader struct {
	pieces []Piece
	now    strings.Builder
	spoken bool
	silent int    // depth inside of an element that is not spoken
	spell  []bool // per open element
}

// text adds text as programs take it: without control characters, and without [[, which begins phonemes for espeak-ng.
func (r *reader) text(s string) {
	for _, c := range strings.ReplaceAll(s, "[[", "[ [") {
		if unicode.IsControl(c) {
			c = ' '
		}
		r.now.WriteRune(c)
	}
}

// flush ends a piece.
func (r *reader) flush(pause time.Duration) {
	text := strings.Join(strings.Fields(r.now.String()), " ")
	r.now.Reset()
	speakable := strings.ContainsFunc(text, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) || unicode.IsSymbol(c) })
	r.spoken = r.spoken || speakable
	if !speakable {
		text = ""
	}
	switch n := len(r.pieces); {
	case text == "" && pause == 0:
	case text == "" && n > 0:
		r.pieces[n-1].Pause = min(r.pieces[n-1].Pause+pause, longBreak)
	default:
		r.pieces = append(r.pieces, Piece{Text: text, Pause: pause})
	}
}

func (r *reader) document(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	root := false
	for {
		token, err := d.Token()
		switch {
		case err == io.EOF && root:
			return nil
		case err != nil:
			return invalid("the SSML is not well formed (%v)", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !root && t.Name.Local != "speak" {
				return invalid("the SSML begins with <%s>, not with <speak>", t.Name.Local)
			}
			root = true
			if err := r.begin(t); err != nil {
				return err
			}
		case xml.EndElement:
			r.end(t.Name.Local)
		case xml.CharData:
			r.chars(string(t))
		case xml.Directive:
			return invalid("the SSML has a <!%.10s…>: leave it out", t)
		}
	}
}

func (r *reader) begin(t xml.StartElement) error {
	attribute := map[string]string{}
	for _, a := range t.Attr {
		attribute[a.Name.Local] = a.Value
	}
	spell := false
	switch name := t.Name.Local; name {
	case "break":
		pause, err := breakTime(attribute)
		if err != nil {
			return err
		}
		r.flush(pause)
	case "sub":
		if r.silent == 0 {
			r.text(" " + attribute["alias"] + " ")
		}
		r.silent++
	case "metadata", "meta", "desc", "lexicon", "lookup":
		r.silent++
	case "say-as":
		switch attribute["interpret-as"] {
		case "characters", "spell-out", "digits", "telephone", "verbatim":
			spell = true
		}
	}
	r.spell = append(r.spell, spell)
	return nil
}

func (r *reader) end(name string) {
	r.spell = r.spell[:len(r.spell)-1]
	switch name {
	case "sub", "metadata", "meta", "desc", "lexicon", "lookup":
		r.silent--
	case "p", "s":
		if s := strings.TrimSpace(r.now.String()); s != "" && !strings.ContainsAny(s[len(s)-1:], ".!?") {
			r.text(".")
		}
		r.text(" ")
	}
}

func (r *reader) chars(s string) {
	if r.silent > 0 {
		return
	}
	if n := len(r.spell); n == 0 || !r.spell[n-1] {
		r.text(s)
		return
	}
	for _, c := range s {
		r.text(string(c) + ", ")
	}
}

// breakTime is how long a break lasts (SSML 1.1 section 3.2.3).
func breakTime(a map[string]string) (time.Duration, error) {
	if text, ok := a["time"]; ok {
		number, unit := strings.TrimSuffix(text, "ms"), time.Millisecond
		if number == text {
			number, unit = strings.TrimSuffix(text, "s"), time.Second
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || number == text || !(v >= 0) {
			return 0, invalid("the break's time is %q: write it as 500ms or 2s", text)
		}
		return time.Duration(min(v*float64(unit), float64(longBreak))), nil
	}
	switch a["strength"] {
	case "none":
		return 0, nil
	case "x-weak":
		return 100 * time.Millisecond, nil
	case "weak":
		return 250 * time.Millisecond, nil
	case "", "medium":
		return 500 * time.Millisecond, nil
	case "strong":
		return 750 * time.Millisecond, nil
	case "x-strong":
		return time.Second, nil
	}
	return 0, invalid("the break's strength is %q", a["strength"])
}
