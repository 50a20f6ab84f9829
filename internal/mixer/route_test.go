package mixer

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/audio"
	"parley/internal/codec"
)

// hall is a room of ports that talk in tones of their own, with the lists that each was given.
type hall struct {
	r     *Room
	legs  []*fakeLeg
	ports []*Port
}

func tagOf(i int) string { return fmt.Sprintf("%02d", i) }

func toneOf(i int) float64 { return 400 + 150*float64(i) }

func newHall(t testing.TB, name string, n int) *hall {
	h := &hall{r: New()}
	for i := range n {
		l := newLeg(t, name, 0)
		l.dbov = -26
		h.legs = append(h.legs, l)
		h.ports = append(h.ports, enter(t, h.r, l, Options{Tag: tagOf(i)}))
	}
	return h
}

// talk makes a leg speak or not.
func (h *hall) talk(i int, on bool) {
	l := h.legs[i]
	l.hz = 0
	if on {
		l.hz = toneOf(i)
	}
	_ = l.SetRate(h.r.Rate())
}

// rule is the model: who hears whom.
func rule(listener, speaker *Port) bool {
	a, b := listener.o, speaker.o
	return listener != speaker && !a.Deaf && !a.Held && !b.Muted && !b.Held &&
		(a.CanHear == nil || slices.Contains(a.CanHear, b.Tag)) && (b.CanSpeak == nil || slices.Contains(b.CanSpeak, a.Tag))
}

// check listens for some ticks and compares with the rule.
func (h *hall) check(t interface{ Errorf(string, ...any) }, what string) {
	for _, l := range h.legs {
		l.forget()
	}
	ticks(h.r, 20)
	for i, l := range h.legs {
		for j, s := range h.legs {
			want := s.hz != 0 && rule(h.ports[i], h.ports[j])
			if got := l.level(toneOf(j)); want && (got < -27.5 || got > -24.5) || !want && got > -58 {
				t.Errorf("%s: %d hears %d at %.1f dBov, want it %v", what, i, j, got, want)
			}
		}
	}
}

// TestRoutes changes lists, voices and people at random: at each time everybody hears exactly those whom the lists let it hear.
func TestRoutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHallFor(t, rapid.SampledFrom([]string{"PCMU", "PCMU", "L16", "G722"}).Draw(t, "codec"), rapid.IntRange(2, 9).Draw(t, "ports"))
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			for range rapid.IntRange(1, 6).Draw(t, "changes") {
				i := rapid.IntRange(0, len(h.legs)-1).Draw(t, "port")
				switch rapid.IntRange(0, 5).Draw(t, "change") {
				case 0, 1:
					h.talk(i, rapid.Bool().Draw(t, "talks"))
				case 5:
					_ = h.r.Leave(h.ports[i])
					ticks(h.r, rapid.IntRange(0, 1).Draw(t, "between"))
					p, err := h.r.Enter(h.legs[i], Options{Tag: tagOf(i), CanSpeak: list(t, len(h.legs))})
					if err != nil {
						t.Fatal(err)
					}
					h.ports[i] = p
				default:
					h.r.Set(h.ports[i], Options{
						CanHear: list(t, len(h.legs)), CanSpeak: list(t, len(h.legs)),
						Deaf: rapid.IntRange(0, 9).Draw(t, "deaf") == 0, Muted: rapid.IntRange(0, 9).Draw(t, "muted") == 0,
					})
				}
				ticks(h.r, rapid.IntRange(0, 2).Draw(t, "wait"))
			}
			ticks(h.r, 60) // hangovers
			h.check(t, "now")
		}
	})
}

func newHallFor(t *rapid.T, name string, n int) *hall {
	h := &hall{r: New()}
	for i := range n {
		f, _ := codec.Find(name)
		d, err := codec.NewDecoder(f, f.SampleRate)
		if err != nil {
			t.Fatal(err)
		}
		l := &fakeLeg{format: f, agreed: true, ready: true, dbov: -26, decoder: d, decode: true, last: make([]byte, 0, codec.MaxPayload)}
		p, err := h.r.Enter(l, Options{Tag: tagOf(i)})
		if err != nil {
			t.Fatal(err)
		}
		h.legs, h.ports = append(h.legs, l), append(h.ports, p)
	}
	return h
}

func list(t *rapid.T, n int) []string {
	if rapid.Bool().Draw(t, "everyone") {
		return nil
	}
	tags := []string{}
	for i := range n {
		if rapid.Bool().Draw(t, "listed") {
			tags = append(tags, tagOf(n-1-i))
		}
	}
	return tags
}

// TestCoach has a supervisor speak to the agent only: the customer hears the agent, the supervisor both, and what is recorded as mix is what the
// customer's neighbour would hear.
func TestCoach(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		h := newHall(t, name, 4) // supervisor, agent, customer, monitor
		h.r.Set(h.ports[0], Options{CanSpeak: []string{tagOf(1)}})
		h.r.Set(h.ports[3], Options{CanSpeak: []string{}})
		for i := range h.legs {
			h.talk(i, true)
		}
		seen := &watcher{}
		private := map[string]bool{}
		h.r.AddTap(seen)
		h.r.AddTap(tapFunc(func(m Moment) {
			for _, v := range m.Voices {
				private[v.Tag] = v.Private
			}
		}))
		ticks(h.r, 60)
		h.check(t, name)
		for i, want := range []bool{false, true, true, false} {
			if got := toneLevel(seen.mix, toneOf(i), h.r.Rate()); (got > -30) != want || !want && got > -58 {
				t.Errorf("%s: %d is in the mix of the taps at %.1f dBov", name, i, got)
			}
			if p, ok := private[tagOf(i)]; !ok || p == want {
				t.Errorf("%s: %d: a voice %v, private %v", name, i, ok, p)
			}
		}
		before := h.r.encoded
		ticks(h.r, 1)
		// The agent, the customer and the supervisor each have one; supervisor and monitor hear the common mix, in which the former is not.
		if n := h.r.encoded - before; n > 4 {
			t.Errorf("%s: %d encodings", name, n)
		}
	}
}

type tapFunc func(Moment)

func (f tapFunc) See(m Moment) { f(m) }

// TestHeardInAGroup lets a tap hear what a port hears that is in a group.
func TestHeardInAGroup(t *testing.T) {
	h := newHall(t, "PCMU", 3)
	h.r.Set(h.ports[2], Options{CanHear: []string{tagOf(0)}})
	h.talk(0, true)
	h.talk(1, true)
	e := &ears{tag: tagOf(2)}
	h.r.AddTap(e)
	ticks(h.r, 50)
	if a, b := toneLevel(e.heard, toneOf(0), 8000), toneLevel(e.heard, toneOf(1), 8000); a < -28 || b > -58 {
		t.Errorf("%.1f and %.1f dBov", a, b)
	}
}

// TestGroupSwitchIsSmooth has somebody whisper into a conversation, and cease to: the listener of both hears the conversation go on without a click.
func TestGroupSwitchIsSmooth(t *testing.T) {
	for name, limit := range map[string]float64{"PCMU": 150, "G722": 400, "opus": 400} {
		h := newHall(t, name, 5)
		h.talk(0, true)
		h.r.Set(h.ports[1], Options{CanSpeak: []string{tagOf(2), tagOf(3)}})
		ticks(h.r, 60)
		whisperer := h.legs[1]
		for _, on := range []bool{true, false} {
			for _, l := range h.legs {
				l.forget()
			}
			ticks(h.r, 5)
			// Loud enough to be mixed, too soft to hide a click: a tone is taken out of the residue with difficulty.
			whisperer.dbov = -56
			h.talk(1, on)
			for range 5 {
				ticks(h.r, 1)
			}
			if !on {
				for h.ports[2].group != nil {
					ticks(h.r, 1)
				}
				h.legs[2].forget()
				h.legs[3].forget()
				ticks(h.r, 1)
			}
			ticks(h.r, 10)
			if (h.ports[2].group != nil) != on || h.ports[4].group != nil || h.ports[2].group != h.ports[3].group {
				t.Fatalf("%s: groups %p %p %p", name, h.ports[2].group, h.ports[3].group, h.ports[4].group)
			}
			for i := 2; i < 5; i++ {
				if got := residue(h.legs[i].heard, toneOf(0), h.legs[i].format.SampleRate); got > limit {
					t.Errorf("%s, whisper %v: a click of %.0f for %d", name, on, got, i)
				}
			}
		}
	}
}

// whisperRoom has n ports in groups that hear only themselves; in each group speaks one.
func whisperRoom(t testing.TB, name string, n, groups int) *hall {
	h := newHall(t, name, n)
	for i, p := range h.ports {
		var tags []string
		for j := i % groups; j < n; j += groups {
			tags = append(tags, tagOf(j))
		}
		if groups > 1 {
			h.r.Set(p, Options{CanHear: tags, CanSpeak: tags})
		}
		h.legs[i].decode = false
	}
	return h
}

// TestGroupCost counts: as many groups as speakers cost as many encodings as one mix with these speakers, and twenty groups in which one speaks cost one.
func TestGroupCost(t *testing.T) {
	const n, groups = 200, 20
	count := func(h *hall, speakers int) uint64 {
		for i := range speakers {
			h.talk(i, true)
		}
		ticks(h.r, 20)
		before := h.r.encoded
		ticks(h.r, 10)
		return (h.r.encoded - before) / 10
	}
	for _, name := range []string{"PCMU", "opus"} {
		for _, speakers := range []int{1, 3, 20, 40} {
			plain, whispers := count(whisperRoom(t, name, n, 1), speakers), count(whisperRoom(t, name, n, groups), speakers)
			// Speakers who are alone in their group hear silence, which costs nothing.
			if whispers > plain+groups || whispers > plain && speakers <= groups {
				t.Errorf("%s, %d speakers: %d encodings in %d groups, %d in one", name, speakers, whispers, groups, plain)
			}
		}
	}
}

func TestGroupsAllocateNothing(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		h := whisperRoom(t, name, 100, 10)
		seen := NewRing("")
		h.r.AddTap(seen)
		turn := func() { // speakers come and go, so do groups
			for i := range 20 {
				h.legs[i].hz = toneOf(i)
			}
			ticks(h.r, 3)
			for i := range 20 {
				h.legs[i].hz = 0
			}
			ticks(h.r, 60)
		}
		for i := range 20 {
			h.talk(i, true)
		}
		turn()
		turn()
		if n := testing.AllocsPerRun(3, turn); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestNoVoiceOfItsOwn: a speaker for whom no stream can be made hears silence, not itself.
func TestNoVoiceOfItsOwn(t *testing.T) {
	r := New()
	a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 1000)
	p := enter(t, r, a, Options{})
	enter(t, r, b, Options{})
	p.outlet.spare, p.outlet.format = nil, codec.Format{Name: "none", SampleRate: 8000}
	ticks(r, 50)
	wantTone(t, "a", a, 440, -20, false)
	wantTone(t, "a", a, 1000, -20, false)
	if a.sends != 50 {
		t.Errorf("%d frames", a.sends)
	}
	p.outlet.format = a.format // it can be made again
	a.forget()
	ticks(r, 20)
	wantTone(t, "a", a, 440, -20, false)
	wantTone(t, "a", a, 1000, -20, true)
}

// TestCodecChangeWhileTalking: the stream of one's own goes, and the next must not go on where the common one stands, which has one's voice in it.
func TestCodecChangeWhileTalking(t *testing.T) {
	for _, to := range []string{"opus", "G722"} {
		r := New()
		enter(t, r, newLeg(t, "opus", 0), Options{}) // keeps the rate, and the common streams going
		enter(t, r, newLeg(t, "G722", 0), Options{})
		soft := newLeg(t, "PCMU", 1000) // so that there is something to encode
		soft.dbov = -50
		enter(t, r, soft, Options{})
		a := newLeg(t, "PCMU", 440)
		a.dbov = -6
		p := enter(t, r, a, Options{})
		ticks(r, 30)
		next := newLeg(t, to, 0)
		a.format, a.decoder = next.format, next.decoder
		if err := r.Refresh(p); err != nil {
			t.Fatal(err)
		}
		a.forget()
		ticks(r, 5)
		for i, v := range a.heard {
			if v > 400 || v < -400 {
				t.Fatalf("%s: hears %d of itself after %d samples", to, v, i)
			}
		}
	}
}

// TestTapsHearFades: what taps get of each voice sums up to what they get as the mix, also when somebody leaves.
func TestTapsHearFades(t *testing.T) {
	r := New()
	a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 1000)
	p := enter(t, r, a, Options{Tag: "a"})
	enter(t, r, b, Options{Tag: "b"})
	var left int
	r.AddTap(tapFunc(func(m Moment) {
		sum := make([]int32, audio.FrameSamples(m.Rate))
		for _, v := range m.Voices {
			audio.Add(sum, v.Frame)
		}
		for i, v := range sum {
			if int16(v) != m.Mix[i] {
				t.Fatalf("sample %d at %d: voices %d, mix %d", i, m.Clock, v, m.Mix[i])
			}
		}
		if len(m.Voices) == 2 && len(r.ports) == 1 {
			left++
		}
	}))
	ticks(r, 10)
	if err := r.Leave(p); err != nil {
		t.Fatal(err)
	}
	ticks(r, 10)
	if left != 1 {
		t.Errorf("the one who left was shown in %d ticks, want one", left)
	}
}

// BenchmarkWhispers is 200 people of whom 20 or 40 speak, in one mix and in 20 groups that hear only themselves.
func BenchmarkWhispers(b *testing.B) {
	for _, name := range []string{"PCMU", "opus"} {
		for _, c := range [][2]int{{1, 20}, {20, 20}, {1, 40}, {20, 40}} {
			b.Run(fmt.Sprint(name, "-200-groups-", c[0], "-speakers-", c[1]), func(b *testing.B) {
				h := whisperRoom(b, name, 200, c[0])
				for i := range c[1] {
					h.talk(i, true)
				}
				ticks(h.r, 20)
				for b.Loop() {
					ticks(h.r, 1)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/participant")
			})
		}
	}
}
