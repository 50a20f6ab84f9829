package room_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/store"
)

// listener counts ticks.
type listener struct{ ticks atomic.Int64 }

func (l *listener) See(mixer.Moment) { l.ticks.Add(1) }

func (b *bench) attach(id conference.ID) (life context.Context, detach func(), l *listener) {
	b.Helper()
	in, err := mixer.NewInlet(8000, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	l = new(listener)
	life, detach, err = b.host.Attach(b.ctx, id, l, in)
	if err != nil {
		b.Fatal(err)
	}
	return life, detach, l
}

// TestGuestKeepsTheRoom: who listens hears an empty room, for as long as it wants.
func TestGuestKeepsTheRoom(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		life, detach, l := b.attach(id)
		_, detachOther, other := b.attach(id)
		time.Sleep(10 * time.Minute)
		if n := l.ticks.Load(); n < 29_000 || life.Err() != nil || b.host.Stats().Rooms != 1 {
			t.Errorf("heard %d ticks, life %v, %+v", n, life.Err(), b.host.Stats())
		}
		s := b.enter(id)
		if err := s.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		detach()
		detach()
		before := l.ticks.Load()
		time.Sleep(time.Second)
		if l.ticks.Load() != before || life.Err() == nil || other.ticks.Load() < 30_000 {
			t.Errorf("%d ticks after %d, the other %d", l.ticks.Load(), before, other.ticks.Load())
		}
		detachOther()
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
		time.Sleep(time.Minute)
		if b.host.Stats().Rooms != 0 {
			t.Error("the room stays live")
		}
	})
}

func TestGuestGoesWithTheConference(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		b.enter(id)
		life, detach, _ := b.attach(id)
		b.do(id, conference.Terminate{At: time.Now(), Reason: conference.EndDeleted})
		synctest.Wait()
		wantReason(t, context.Cause(life), "CONFERENCE_ENDED")
		detach()
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
		_, _, err := b.host.Attach(b.ctx, id, new(listener), nil)
		wantReason(t, err, "CONFERENCE_NOT_PROGRESSING")
		_, _, err = b.host.Attach(b.ctx, conference.ID(uuid.NewString()), nil, nil)
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
		_, _, err = b.host.Attach(b.ctx, "x", nil, nil)
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
	})
}

func TestGuestGoesWithTheServer(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		life, detach, _ := b.attach(id)
		b.stop()
		<-life.Done()
		wantReason(t, context.Cause(life), "STOPPING")
		detach()
	})
}

// TestWriteIsFenced: a change under the conference's key fails when somebody else has it, and guests learn that.
func TestWriteIsFenced(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		life, detach, _ := b.attach(id)
		defer detach()
		write := func() (versions []int64, err error) {
			err = b.host.Write(b.ctx, id, func(s *conference.State, version int64) (*store.Change, error) {
				versions = append(versions, version)
				return &store.Change{Events: []store.Event{{ID: uuid.NewString(), Type: "note", At: time.Now(), Conference: string(id), Data: []byte("{}")}}}, nil
			}, func() {})
			return versions, err
		}
		first, err := write()
		if err != nil || len(first) != 1 {
			t.Fatal(first, err)
		}
		foreign := &store.Change{Key: "conference/" + string(id), Version: first[0], Events: []store.Event{{
			ID: uuid.NewString(), Type: "foreign", At: time.Now(), Conference: string(id), Data: []byte("{}"),
		}}}
		if err := b.store.Append(b.ctx, foreign); err != nil {
			t.Fatal(err)
		}
		if second, err := write(); err != nil || len(second) != 2 || second[1] != first[0]+2 {
			t.Errorf("wrote at %v, %v", second, err)
		}
		<-life.Done()
		wantReason(t, context.Cause(life), "OWNER_CHANGED")
		refuse := fault.New(fault.Conflict, "STATE_INVALID", "no")
		err = b.host.Write(b.ctx, id, func(*conference.State, int64) (*store.Change, error) { return nil, refuse }, func() { t.Error("wrote") })
		wantReason(t, err, "STATE_INVALID")
	})
}

// TestGuestsComeAndGo while people do, and the conference ends under them.
func TestGuestsComeAndGo(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for {
					life, detach, err := b.host.Attach(b.ctx, id, new(listener), nil)
					if err != nil {
						wantReason(t, err, "CONFERENCE_NOT_PROGRESSING")
						return
					}
					select {
					case <-life.Done():
					case <-time.After(time.Duration(i+1) * 7 * time.Millisecond):
					}
					detach()
				}
			})
		}
		for range 5 {
			s := b.enter(id)
			time.Sleep(40 * time.Millisecond)
			if err := s.Leave(b.ctx, ""); err != nil {
				t.Fatal(err)
			}
		}
		b.do(id, conference.Terminate{At: time.Now(), Reason: conference.EndDeleted})
		all.Wait()
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
	})
}
