package touchtone

import (
	"strings"
	"testing"
	"time"

	"parley/internal/codec"
	"parley/internal/fault"
)

// draw writes a row as one letter a frame: the key while it is pressed, e for the repeated ends, a dot for nothing.
func draw(r *Row) string {
	var b strings.Builder
	for {
		f := r.Next()
		switch {
		case f.Pressed:
			b.WriteByte(f.Key)
		case f.Event:
			b.WriteByte('e')
		default:
			b.WriteByte('.')
		}
		if f.Last {
			return b.String()
		}
	}
}

func TestRow(t *testing.T) {
	for _, c := range []struct {
		keys      string
		on, pause time.Duration
		want      string
	}{
		{"1", 0, 0, "11111ee..."},
		{"1#", 40 * time.Millisecond, 60 * time.Millisecond, "11ee.##ee."},
		{"5", time.Millisecond, time.Millisecond, "55ee."},
		{"a", 41 * time.Millisecond, 61 * time.Millisecond, "AAAee.."},
		{"w1", 0, 0, strings.Repeat(".", 25) + "11111ee..."},
		{",", 0, time.Second, strings.Repeat(".", 50)},
	} {
		r, err := NewRow(c.keys, c.on, c.pause)
		if err != nil {
			t.Fatal(err)
		}
		if got := draw(r); got != c.want {
			t.Errorf("%s for %v with %v: %s, want %s", c.keys, c.on, c.pause, got, c.want)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add("123*#ABCDw,", int64(100), int64(50))
	f.Add("", int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, keys string, on, pause int64) {
		r, err := NewRow(keys, time.Duration(on)*time.Microsecond, time.Duration(pause)*time.Microsecond)
		if err != nil {
			if fault.ReasonOf(err) != "DIGITS_INVALID" {
				t.Error(err)
			}
			return
		}
		begins := 0
		for n := 0; ; n++ {
			f := r.Next()
			if f.Begins {
				begins++
			}
			if f.Key != 0 && strings.IndexByte(keyboard, f.Key) < 0 || n > 256*2000 {
				t.Fatalf("%q: %+v after %d frames", keys, f, n)
			}
			if f.Last {
				break
			}
		}
		if want := len(keys) - strings.Count(keys, ",") - strings.Count(strings.ToLower(keys), "w"); begins != want {
			t.Errorf("%q: %d presses, want %d", keys, begins, want)
		}
	})
}

// TestTones says that a frame costs nothing but its encoding, and that there is nothing after the press.
func TestTones(t *testing.T) {
	format, _ := codec.Find("PCMU")
	tones, err := NewTones(format)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := NewRow("5", 100*time.Millisecond, 100*time.Millisecond)
	for n := 1; ; n++ {
		f := r.Next()
		silent := codec.Silent(format, tones.Next(f))
		if silent != (n > 6) { // the sixth has the end of the fade
			t.Errorf("frame %d: silent %v", n, silent)
		}
		if f.Last {
			break
		}
	}
	pressed := Frame{Key: '5', Pressed: true}
	if n := testing.AllocsPerRun(100, func() { tones.Next(pressed) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
