package audio

// TalkPreset holds the figures of a talk detector. Scores are those of Score.
type TalkPreset struct {
	Level       int // a frame is loud above this; 0 makes every frame audible
	Jump        int // this much above Level is talk at once
	UnderMillis int // so long loud makes talk
	OverMillis  int // so long not loud ends talk
}

// The figures that operators of FreeSWITCH and of Asterisk are used to, in milliseconds instead of frames.
var (
	FreeSWITCH = TalkPreset{Level: 100, Jump: 400, UnderMillis: 100, OverMillis: 800}
	Asterisk   = TalkPreset{Level: 160, Jump: 0, UnderMillis: FrameMillis, OverMillis: 2500}
)

// audibleMillis is how long a port stays in the mix after it was last heard.
const audibleMillis = 400

// Talk tells whether someone talks, for events and displays, and, much more readily, whether a frame belongs into the mix.
type Talk struct {
	preset  TalkPreset
	talking bool
	under   int // ms of loudness towards talk
	over    int // ms of quiet towards its end
	audible int // ms for which the port stays in the mix
}

// NewTalk returns a detector at rest.
func NewTalk(p TalkPreset) Talk { return Talk{preset: p} }

// Push takes the score of the next millis of sound, 0 for silence that was not decoded, and reports whether Talking changed.
func (t *Talk) Push(score, millis int) (changed bool) {
	// A quarter of the level is below any speech, so that the soft begins and ends of words stay in.
	if score > t.preset.Level/4 {
		t.audible = audibleMillis
	} else {
		t.audible = max(t.audible-millis, 0)
	}
	if score > t.preset.Level {
		return t.loud(score-t.preset.Level, millis)
	}
	return t.quiet(millis)
}

func (t *Talk) loud(excess, millis int) (changed bool) {
	t.over = max(t.over-millis, 0)
	t.under += millis
	if excess < t.preset.Jump && t.under < t.preset.UnderMillis {
		return false
	}
	t.under, t.over = 0, 0
	changed = !t.talking
	t.talking = true
	return changed
}

func (t *Talk) quiet(millis int) (changed bool) {
	t.under = max(t.under-millis, 0)
	if !t.talking {
		return false
	}
	if t.over += millis; t.over < t.preset.OverMillis {
		return false
	}
	t.talking, t.over = false, 0
	return true
}

// Talking reports whether a talk is on.
func (t *Talk) Talking() bool { return t.talking }

// Audible reports whether the frame pushed last belongs into the mix: from the first frame above a quarter of the level until
// 400 ms after the last one, and in any case while talking.
func (t *Talk) Audible() bool { return t.audible > 0 || t.talking || t.preset.Level == 0 }

// Stop ends talk and audibility at once, for mute, hold and leaving, and reports whether there was talk: then its end is to
// be told like any other.
func (t *Talk) Stop() (was bool) {
	was = t.talking
	*t = NewTalk(t.preset)
	return was
}
