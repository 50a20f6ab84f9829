package audio_test

import (
	"testing"

	"parley/internal/audio"
)

// play pushes frames until talking changes and returns after how many ms that was, or -1.
func play(t *audio.Talk, score, millis, frame int) int {
	for at := frame; at <= millis; at += frame {
		if t.Push(score, frame) {
			return at
		}
	}
	return -1
}

func TestTalkBeginsAndEnds(t *testing.T) {
	tests := []struct {
		name       string
		preset     audio.TalkPreset
		score      int
		frame      int
		begin, end int // ms, -1 for never
	}{
		{"loud is talk at once", audio.FreeSWITCH, 500, 20, 20, 800},
		{"just below that it takes 100 ms", audio.FreeSWITCH, 499, 20, 100, 800},
		{"just above the gate", audio.FreeSWITCH, 101, 20, 100, 800},
		{"at the gate it never begins", audio.FreeSWITCH, 100, 20, -1, -1},
		{"the same with frames of 10 ms", audio.FreeSWITCH, 300, 10, 100, 800},
		{"the same with frames of 40 ms", audio.FreeSWITCH, 300, 40, 120, 800},
		{"the other preset is at once", audio.Asterisk, 161, 20, 20, 2500},
		{"the other preset's gate", audio.Asterisk, 160, 20, -1, -1},
	}
	for _, tt := range tests {
		talk := audio.NewTalk(tt.preset)
		if got := play(&talk, tt.score, 3000, tt.frame); got != tt.begin {
			t.Errorf("%s: talk after %d ms, want %d", tt.name, got, tt.begin)
		}
		if talk.Talking() != (tt.begin > 0) {
			t.Errorf("%s: Talking is %v", tt.name, talk.Talking())
		}
		if got := play(&talk, 0, 3000, tt.frame); got != tt.end {
			t.Errorf("%s: end after %d ms, want %d", tt.name, got, tt.end)
		}
	}
}

func TestTalkForgetsSingleClicks(t *testing.T) {
	talk := audio.NewTalk(audio.FreeSWITCH)
	for range 200 { // 20 ms of every 60 are loud: not enough in a row
		if talk.Push(300, 20) || talk.Push(0, 20) || talk.Push(0, 20) {
			t.Fatal("clicks became talk")
		}
	}
}

func TestTalkOutlastsPauses(t *testing.T) {
	talk := audio.NewTalk(audio.FreeSWITCH)
	play(&talk, 1000, 20, 20)
	for range 20 {
		if play(&talk, 0, 780, 20) >= 0 || play(&talk, 1000, 100, 20) >= 0 {
			t.Fatal("a pause of 780 ms ended the talk")
		}
	}
}

func TestAudibleFromTheFirstFrame(t *testing.T) {
	talk := audio.NewTalk(audio.FreeSWITCH)
	talk.Push(25, 20)
	if talk.Audible() {
		t.Error("a quarter of the level is audible")
	}
	talk.Push(26, 20)
	if !talk.Audible() || talk.Talking() {
		t.Error("the soft begin of a word does not reach the mix")
	}
	for at := 20; at < 400; at += 20 {
		talk.Push(0, 20)
		if !talk.Audible() {
			t.Fatalf("inaudible %d ms after a word", at)
		}
	}
	talk.Push(0, 20)
	if talk.Audible() {
		t.Error("audible 400 ms after a word")
	}
	play(&talk, 1000, 20, 20)
	play(&talk, 0, 700, 20)
	if !talk.Audible() {
		t.Error("inaudible while talking")
	}
}

func TestLevelZeroIsAlwaysAudible(t *testing.T) {
	talk := audio.NewTalk(audio.TalkPreset{OverMillis: 800, UnderMillis: 100})
	talk.Push(0, 20)
	if !talk.Audible() || talk.Talking() {
		t.Error("level 0 does not let everything through")
	}
}

func TestStopEndsTalkOnce(t *testing.T) {
	talk := audio.NewTalk(audio.FreeSWITCH)
	play(&talk, 1000, 20, 20)
	if !talk.Stop() || talk.Talking() || talk.Audible() {
		t.Error("mute while talking does not end the talk")
	}
	if talk.Stop() {
		t.Error("the second stop ends a talk too")
	}
	if got := play(&talk, 300, 200, 20); got != 100 {
		t.Errorf("after a stop talk begins after %d ms, want 100", got)
	}
}
