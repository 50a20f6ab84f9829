package room_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/prompt"
)

// sounds is a library whose sounds differ in length: it tells what is heard.
type sounds struct{ slow time.Duration }

var lengths = map[string]int{"music": 80000, "beep": 800, "join": 1600, "leave": 2400, "refused": 3200, "https://example.com/a.wav": 40000}

func (s sounds) sound(ctx context.Context, name string) (prompt.Sound, error) {
	select {
	case <-time.After(s.slow):
	case <-ctx.Done():
		return prompt.Sound{}, ctx.Err()
	}
	n := lengths[name]
	if n == 0 {
		return prompt.Sound{}, fault.New(fault.Unavailable, "PROMPT_UNREACHABLE", "there is no %s", name)
	}
	return prompt.Sound{Samples: make([]int16, n), Rate: 8000}, nil
}

func (s sounds) Fetch(ctx context.Context, _, url string) (prompt.Sound, error) {
	return s.sound(ctx, url)
}

func (s sounds) Tone(name string) (prompt.Sound, error) { return s.sound(context.Background(), name) }

// Say speaks 100 samples for each letter.
func (s sounds) Say(ctx context.Context, x prompt.Speech) (prompt.Sound, error) {
	if x.Language == "tlh" {
		return prompt.Sound{}, fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "nobody speaks that")
	}
	lengths := prompt.Sound{Samples: make([]int16, 100*len(x.Text)), Rate: 8000}
	_, err := s.sound(ctx, "music")
	return lengths, err
}

func (b *bench) wantHeard(id conference.ParticipantID, alone, all []int) {
	b.Helper()
	time.Sleep(time.Second) // music takes its time
	if a, o := b.media.heard(string(id)); !slices.Equal(a, alone) || !slices.Equal(o, all) {
		b.Errorf("%s hears %v alone and %v with the others, want %v and %v", id, a, o, alone, all)
	}
}

func (b *bench) wantStatus(s interface {
	ID() conference.ParticipantID
}, status conference.ParticipantStatus, w conference.Waiting,
) {
	b.Helper()
	time.Sleep(time.Second)
	var p conference.Participant
	b.read("conferencecall", string(s.ID()), &p)
	if p.Status != status || p.Waiting != w {
		b.Errorf("participant is %s, waiting %q, want %s, %q", p.Status, p.Waiting, status, w)
	}
}

func TestLobby(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{Admission: conference.Lobby}})
		m, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer, Role: conference.Moderator}, new(loop.Session))
		if err != nil {
			t.Fatal(err)
		}
		b.media.tell(string(m.ID()), loop.Connected, 0)
		waits, goes, preflow := b.enter(id), b.enter(id), b.waits(id)
		if err := waits.Connected(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.wantStatus(waits, conference.Joining, conference.ForAdmission)
		b.wantHeard(waits.ID(), nil, []int{80000})
		b.wantHeard(m.ID(), nil, nil)
		if o, _ := b.media.port(string(waits.ID())); !o.Muted || o.Deaf {
			t.Errorf("who waits has %+v", o)
		}
		if _, mixers := b.media.count(); mixers != 2 {
			t.Errorf("%d mixers", mixers)
		}
		b.media.tell(string(waits.ID()), loop.DigitPressed, '1')
		b.media.tell(string(waits.ID()), loop.SpeechStarted, 0)
		b.do(id, conference.Admit{At: time.Now(), ID: waits.ID()})
		b.wantStatus(waits, conference.Joined, "")
		b.wantHeard(waits.ID(), nil, nil)
		if o, _ := b.media.port(string(waits.ID())); o.Muted {
			t.Errorf("who has been let in has %+v", o)
		}
		b.wantHeard(goes.ID(), nil, []int{80000})
		b.do(id, conference.Deny{At: time.Now(), All: true})
		b.wantEnd(goes, conference.LeftDenied)
		b.wantEnd(preflow, conference.LeftDenied)
		if ports, mixers := b.media.count(); ports != 2 || mixers != 1 {
			t.Errorf("%d ports, %d mixers", ports, mixers)
		}
		if log := b.log(id); slices.Contains(log, "speech_started") || slices.Contains(log, "digit_received") {
			t.Errorf("the lobby was heard: %q", log)
		}
	})
}

func TestWaitForModerator(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{
			Admission: conference.WaitForModerator, WaitMusic: "https://example.com/a.wav", MuteNewcomers: true,
		}})
		a, z, silent := b.enter(id), b.enter(id), b.join(id)
		b.wantHeard(a.ID(), nil, []int{40000})
		music := "https://example.com/nowhere.wav"
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{WaitMusic: &music}})
		b.wantHeard(a.ID(), nil, []int{80000}) // the built-in one instead
		music = "silence"
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{WaitMusic: &music}})
		b.wantHeard(a.ID(), nil, nil)
		moderator := conference.Moderator
		b.do(id, conference.Set{At: time.Now(), ID: z.ID(), Patch: conference.ParticipantPatch{Role: &moderator}})
		b.wantStatus(z, conference.Joined, "")
		b.wantStatus(a, conference.Joined, "")
		b.wantStatus(silent, conference.Joining, "")
		if _, mixers := b.media.count(); mixers != 1 {
			t.Errorf("%d mixers", mixers)
		}
		b.media.tell(string(silent.ID()), loop.Connected, 0)
		b.wantStatus(silent, conference.Joined, "")
	})
}

func TestBackToTheLobby(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{})
		in, onTheWay := b.enter(id), b.join(id)
		lobby := conference.Lobby
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Admission: &lobby}})
		b.wantStatus(in, conference.Joined, "")
		b.wantStatus(onTheWay, conference.Joining, conference.ForAdmission)
		b.wantHeard(onTheWay.ID(), nil, []int{80000})
		b.media.silent(string(onTheWay.ID()))
		time.Sleep(time.Minute)
		b.wantEnd(onTheWay, conference.LeftMediaTimeout)
	})
}

func TestHoldMusic(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{})
		a, z := b.enter(id), b.enter(id)
		set := func(p conference.ParticipantPatch) {
			b.do(id, conference.Set{At: time.Now(), ID: a.ID(), Patch: p})
		}
		yes, no := true, false
		set(conference.ParticipantPatch{Held: &yes})
		b.wantHeard(a.ID(), []int{80000}, nil)
		b.wantHeard(z.ID(), nil, nil)
		music := "https://example.com/a.wav"
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{WaitMusic: &music}})
		b.wantHeard(a.ID(), []int{40000}, nil)
		set(conference.ParticipantPatch{RemoteHeld: &yes}) // it listens to its own side now
		b.wantHeard(a.ID(), nil, nil)
		set(conference.ParticipantPatch{RemoteHeld: &no})
		b.wantHeard(a.ID(), []int{40000}, nil)
		set(conference.ParticipantPatch{Held: &no})
		b.wantHeard(a.ID(), nil, nil)
		set(conference.ParticipantPatch{Held: &yes})
		b.do(id, conference.Kick{At: time.Now(), ID: a.ID()})
		b.wantEnd(a, conference.LeftKicked)
		if n := b.media.sounding(); n != 0 {
			t.Errorf("%d sounds play on", n)
		}
	})
}

func TestTones(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{EntryTone: "chime"}})
		heard := func() []int {
			synctest.Wait()
			time.Sleep(50 * time.Millisecond)
			return b.media.drain()
		}
		a := b.enter(id)
		if got := heard(); len(got) > 0 {
			t.Errorf("alone: %v", got)
		}
		z := b.enter(id)
		if got := heard(); !slices.Equal(got, []int{1600}) {
			t.Errorf("coming: %v", got)
		}
		x := b.join(id) // has never joined
		if err := x.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		if got := heard(); len(got) > 0 {
			t.Errorf("never joined: %v", got)
		}
		if err := z.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		if got := heard(); !slices.Equal(got, []int{2400}) {
			t.Errorf("going: %v", got)
		}
		b.wantOpen(a)
	})
}

// listening is a bubble with sounds.
func listening(t *testing.T, f func(b *bench)) {
	t.Helper()
	bubble(t, func(b *bench) {
		b.stop()
		b.prompts = sounds{slow: 10 * time.Millisecond}
		b.start()
		f(b)
	})
}

// sounding returns how many sounds play.
func (m *fakeMedia) sounding() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.players)
}

// drain returns the lengths of what plays just now to all, and stops it.
func (m *fakeMedia) drain() (lengths []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.players {
		if p.to == "" {
			lengths = append(lengths, p.samples)
			p.end()
		}
	}
	return lengths
}

// TestManyAdmittedAtOnce lets a full lobby in: nobody is lost on the way, and they share their appends.
func TestManyAdmittedAtOnce(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{Admission: conference.Lobby}})
		const n = 200
		for range n {
			b.enter(id)
		}
		b.media.mu.Lock()
		playing := len(b.media.players)
		b.media.mu.Unlock()
		if playing != 1 {
			t.Errorf("%d sounds play in the lobby", playing)
		}
		before := b.store.count()
		b.do(id, conference.Admit{At: time.Now(), All: true})
		time.Sleep(time.Second)
		if c := b.conference(id); len(c.Joined) != n {
			t.Errorf("%d joined", len(c.Joined))
		}
		if appends := b.store.count() - before; appends > 10 {
			t.Errorf("%d appends", appends)
		}
		if ports, mixers := b.media.count(); ports != n || mixers != 1 {
			t.Errorf("%d ports, %d mixers", ports, mixers)
		}
	})
}
