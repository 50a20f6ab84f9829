package room_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/loop"
	"parley/internal/prompt"
	"parley/internal/room"
)

// notices returns what the log tells of a participant's notice, and when.
func (b *bench) notices(id conference.ID, s *room.Seat) (types []string, at []time.Time) {
	b.Helper()
	for _, e := range b.events(id) {
		if e.Resource == string(s.ID()) && (strings.HasPrefix(e.Type, "announcement_") || e.Type == "recording_consented") {
			types, at = append(types, e.Type), append(at, e.At)
		}
	}
	return types, at
}

func (b *bench) wantNotices(id conference.ID, s *room.Seat, want ...string) (at []time.Time) {
	b.Helper()
	got, at := b.notices(id, s)
	if !slices.Equal(got, want) {
		b.Fatalf("the log tells %q, want %q", got, want)
	}
	return at
}

// TestAnnounced: nothing of a leg is stored before it has heard the announcement, late joiners included, and the log says when that was.
func TestAnnounced(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{RecordingNotice: tape.Announce}})
		a := b.enter(id)
		began := time.Now()
		rec := b.record(id, tape.Options{})
		time.Sleep(500 * time.Millisecond)
		if alone, all := b.media.heard(string(a.ID())); len(alone) != 1 || len(all) != 0 {
			t.Errorf("a hears %v alone, %v with all", alone, all)
		}
		time.Sleep(2500 * time.Millisecond)
		late := b.enter(id)
		time.Sleep(3 * time.Second)
		gone := b.enter(id)
		time.Sleep(500 * time.Millisecond)
		if err := gone.Leave(b.ctx, ""); err != nil { // in the middle of the announcement
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		end := time.Now()
		b.do(id, conference.StopRecording{At: end})
		if r := b.wantRecording(rec, tape.ByRequest); r.Notice != tape.Announce {
			t.Errorf("notice is %q", r.Notice)
		}
		for _, s := range []*room.Seat{a, late} {
			at := b.wantNotices(id, s, "announcement_started", "announcement_ended", "recording_consented")
			if d := at[1].Sub(at[0]); d < 1050*time.Millisecond || d > 1200*time.Millisecond || at[0].Before(began.Truncate(time.Microsecond)) {
				t.Errorf("announced from %v to %v", at[0], at[1])
			}
			b.wantLane(rec, s, end.Sub(at[2]), "join", "consent")
		}
		b.wantNotices(id, gone, "announcement_started")
		b.wantLane(rec, gone, 0, "join", "leave")
	})
}

// TestPress1: a leg that does not consent is not stored.
func TestPress1(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{})
		yes, early, no := b.enter(id), b.enter(id), b.enter(id)
		rec := b.record(id, tape.Options{Notice: tape.Press1})
		time.Sleep(500 * time.Millisecond)
		b.media.tell(string(early.ID()), loop.DigitPressed, '1') // while it plays
		time.Sleep(1500 * time.Millisecond)
		b.media.tell(string(yes.ID()), loop.DigitPressed, '1')
		b.media.tell(string(no.ID()), loop.DigitPressed, '2')
		synctest.Wait()
		time.Sleep(3 * time.Second)
		end := time.Now()
		b.do(id, conference.StopRecording{At: end})
		b.wantRecording(rec, tape.ByRequest)
		for _, s := range []*room.Seat{yes, early} {
			at := b.wantNotices(id, s, "announcement_started", "announcement_ended", "recording_consented")
			b.wantLane(rec, s, end.Sub(at[2]), "join", "consent")
		}
		b.wantNotices(id, no, "announcement_started", "announcement_ended")
		b.wantLane(rec, no, 0, "join")
	})
}

// TestAnnouncementThatCannotBePlayed: who cannot be told is not stored.
func TestAnnouncementThatCannotBePlayed(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		b.stop()
		b.notice = func(context.Context, string, string) (prompt.Sound, error) {
			return prompt.Sound{}, errors.New("no such file")
		}
		b.start()
		id := b.create(conference.Create{})
		s := b.enter(id)
		rec := b.recordWith(id, tape.Options{Notice: tape.Announce}, 2*time.Second)
		b.wantRecording(rec, tape.ByRequest)
		b.wantNotices(id, s, "announcement_started", "announcement_failed")
		b.wantLane(rec, s, 0, "join")
	})
}

// TestAnnouncedAgain: who could not be told is told again, three times in all, and stored once it has heard it; who has left is left alone.
func TestAnnouncedAgain(t *testing.T) {
	for fails, want := range map[int]string{
		0: "started ended", 1: "started failed started ended", 2: "started failed started failed started ended",
		3: "started failed started failed started failed", 100: "started failed started failed started failed",
	} {
		for _, leaves := range []bool{false, true} {
			studio(t, 1<<20, func(b *bench) {
				b.stop()
				tries := 0
				b.notice = func(context.Context, string, string) (prompt.Sound, error) {
					if tries++; tries <= fails {
						return prompt.Sound{}, errors.New("the disk is away")
					}
					return prompt.Sound{Samples: make([]int16, 800), Rate: 8000}, nil
				}
				b.start()
				id := b.create(conference.Create{})
				s := b.enter(id)
				rec := b.record(id, tape.Options{Notice: tape.Announce})
				time.Sleep(5 * time.Second)
				if leaves {
					if err := s.Leave(b.ctx, ""); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				b.do(id, conference.StopRecording{At: time.Now()})
				b.wantRecording(rec, tape.ByRequest)
				types, _ := b.notices(id, s)
				got := strings.ReplaceAll(strings.Join(types, " "), "announcement_", "")
				want := strings.TrimSuffix(want, "ended")
				if strings.HasSuffix(want, "started ") {
					want += "ended recording_consented"
				}
				if leaves && fails > 0 {
					want = "started failed"
				}
				if got != want {
					t.Errorf("%d fail, leaves %v: the log tells %q, want %q", fails, leaves, got, want)
				}
			})
		}
	}
}

func (b *bench) recordWith(id conference.ID, o tape.Options, d time.Duration) string {
	b.Helper()
	rec := b.record(id, o)
	time.Sleep(d)
	b.do(id, conference.StopRecording{At: time.Now()})
	return rec
}
