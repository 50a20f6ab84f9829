package room_test

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
	"parley/internal/store"
)

func TestLifeOfAParticipant(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.join(id)
		tag := string(s.ID())
		if o, there := b.media.port(tag); !there || o.Muted || o.Deaf {
			t.Errorf("port %+v, %v", o, there)
		}
		b.media.tell(tag, loop.Connected, 0)
		b.media.tell(tag, loop.SpeechStarted, 0)
		synctest.Wait()
		b.media.tell(tag, loop.DigitPressed, '5')
		synctest.Wait()
		muted := true
		v := b.do(id, conference.Set{At: time.Now(), ID: s.ID(), Patch: conference.ParticipantPatch{Muted: &muted}})
		if v.Participant == nil || !v.Participant.Muted || v.Participant.Speaking {
			t.Errorf("view has participant %+v", v.Participant)
		}
		if o, _ := b.media.port(tag); !o.Muted {
			t.Errorf("port is not muted")
		}
		if err := s.Leave(b.ctx, conference.LeftHangup); err != nil {
			t.Fatal(err)
		}
		if err := s.Leave(b.ctx, conference.LeftHangup); err != nil {
			t.Errorf("second leave: %v", err)
		}
		b.wantEnd(s, conference.LeftHangup)
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
		b.wantLog(id, "c_created", "c_updated", "joining", "joined", "c_updated", "speech_started", "digit_received",
			"speech_stopped", "updated", "leaving", "leaved", "c_updated")
	})
}

func TestConnectedWithoutMedia(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.join(id)
		for range 2 {
			if err := s.Connected(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if p := b.participant(s); p.Status != conference.Joined {
			t.Errorf("participant is %s", p.Status)
		}
		if err := s.Digit(b.ctx, "#"); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Minute)
		b.wantOpen(s) // not knowing is not failing
		b.wantLog(id, "c_created", "c_updated", "joining", "joined", "c_updated", "digit_received")
	})
}

func TestRefusedWhenConnected(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		first, second := b.join(id), b.join(id)
		locked := conference.Locked
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Admission: &locked}})
		wantReason(t, first.Connected(b.ctx), "CONFERENCE_LOCKED")
		b.wantEnd(first, conference.LeftRefused)
		b.media.tell(string(second.ID()), loop.Connected, 0)
		b.wantEnd(second, conference.LeftRefused)
	})
}

func TestMediaRefusesTheSession(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		b.media.refuse = true
		if _, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, new(loop.Session)); err == nil {
			t.Error("joined without a port")
		}
		synctest.Wait()
		b.wantLog(id, "c_created", "c_updated", "joining", "leaving", "leaved")
	})
}

func TestKick(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		joined, joining, stays := b.enter(id), b.join(id), b.enter(id)
		for _, s := range []*room.Seat{joined, joining} {
			if v := b.do(id, conference.Kick{At: time.Now(), ID: s.ID()}); v.Participant.Status != conference.Leaving {
				t.Errorf("kicked participant is %s", v.Participant.Status)
			}
			b.wantEnd(s, conference.LeftKicked)
			if p := b.participant(s); p.Status != conference.Leaved || p.LeaveReason != conference.LeftKicked {
				t.Errorf("participant is %s (%s)", p.Status, p.LeaveReason)
			}
			if err := s.Leave(b.ctx, conference.LeftHangup); err != nil {
				t.Error(err)
			}
		}
		b.wantOpen(stays)
		if ports, mixers := b.media.count(); ports != 1 || mixers != 1 {
			t.Errorf("%d ports, %d mixers", ports, mixers)
		}
	})
}

func TestKickOfSomebodyGone(t *testing.T) {
	bubble(t, func(b *bench) {
		id, other := b.create(conference.Create{}), b.create(conference.Create{})
		s := b.enter(id)
		if err := s.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		for _, wait := range []time.Duration{0, time.Hour} { // the room remembers; the record does
			time.Sleep(wait)
			v := b.do(id, conference.Kick{At: time.Now(), ID: s.ID()})
			if v.Participant == nil || v.Participant.Status != conference.Leaved || v.Conference.ID != id {
				t.Errorf("after %v: %+v", wait, v)
			}
		}
		_, err := b.host.Do(b.ctx, id, conference.Set{At: time.Now(), ID: s.ID()}, room.DoOptions{})
		wantReason(t, err, "CONFERENCECALL_LEAVED")
		_, err = b.host.Do(b.ctx, other, conference.Kick{At: time.Now(), ID: s.ID()}, room.DoOptions{})
		wantReason(t, err, "CONFERENCECALL_NOT_FOUND")
		_, err = b.host.Do(b.ctx, id, conference.Kick{At: time.Now(), ID: conference.ParticipantID(uuid.NewString())}, room.DoOptions{})
		wantReason(t, err, "CONFERENCECALL_NOT_FOUND")
	})
}

func TestTerminate(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		seats := []*room.Seat{b.enter(id), b.join(id), b.enter(id)}
		v := b.do(id, conference.Terminate{At: time.Now(), Delete: true})
		if v.Conference.Status != conference.Terminating {
			t.Errorf("answer is %s", v.Conference.Status)
		}
		for _, s := range seats {
			b.wantEnd(s, conference.LeftTerminated)
		}
		b.do(id, conference.Terminate{At: time.Now(), Delete: true})
		if c := b.conference(id); c.Status != conference.Terminated || c.EndReason != conference.EndDeleted || c.Ended.IsZero() {
			t.Errorf("conference is %s (%s), ended %v", c.Status, c.EndReason, c.Ended)
		}
		_, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, new(loop.Session))
		wantReason(t, err, "CONFERENCE_NOT_PROGRESSING")
		synctest.Wait() // the room answers before it ends
		if n := b.host.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms live", n)
		}
	})
}

func TestConnect(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{Type: conference.Connect})
		a, z := b.enter(id), b.enter(id)
		_, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, new(loop.Session))
		wantReason(t, err, "CONFERENCE_FULL")
		if err := a.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		b.wantEnd(z, conference.LeftPeer)
		if c := b.conference(id); c.Status != conference.Terminated || c.EndReason != conference.EndPeerLeft {
			t.Errorf("conference is %s (%s)", c.Status, c.EndReason)
		}
	})
}

func TestManyJoinAtOnce(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		b.store.slow(3 * time.Millisecond)
		before, begin := b.store.count(), time.Now()
		const n = 300
		seats := make([]*room.Seat, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				seats[i] = b.join(id)
				b.media.tell(string(seats[i].ID()), loop.Connected, 0)
			})
		}
		all.Wait()
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		c := b.conference(id)
		if len(c.Joined) != n || c.Count != n || b.host.Stats().Seats != n {
			t.Errorf("%d joined, count %d, seats %d", len(c.Joined), c.Count, b.host.Stats().Seats)
		}
		t.Logf("%d joins took %d appends and %v", n, b.store.count()-before, time.Since(begin)-100*time.Millisecond)
		if appends := b.store.count() - before; appends > n/4 {
			t.Errorf("%d appends: joins do not share them", appends)
		}
		before = b.store.count()
		b.do(id, conference.Terminate{At: time.Now()})
		for _, s := range seats {
			<-s.Done()
		}
		time.Sleep(time.Second)
		if c := b.conference(id); c.Status != conference.Terminated || b.store.count()-before > 3 {
			t.Errorf("conference is %s after %d appends", c.Status, b.store.count()-before)
		}
	})
}

func TestWhoAsksAndOnWhichVersion(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		name := "renamed"
		rename := func(o room.DoOptions) (room.View, error) {
			name += "!"
			return b.host.Do(b.ctx, id, conference.Update{At: time.Now(), Patch: conference.Patch{Name: &name}}, o)
		}
		_, err := rename(room.DoOptions{CustomerID: uuid.NewString()})
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
		_, err = rename(room.DoOptions{IfVersion: 1})
		wantReason(t, err, "VERSION_MISMATCH")
		_, err = rename(room.DoOptions{IfVersion: 3})
		wantReason(t, err, "VERSION_MISMATCH")
		v, err := rename(room.DoOptions{CustomerID: customer, IfVersion: 2})
		if err != nil || v.Version != 3 {
			t.Errorf("version %d, %v", v.Version, err)
		}
		s := b.join(id) // an entry that changes nothing of the conference as a client sees it
		if _, err = rename(room.DoOptions{IfVersion: 3}); err != nil {
			t.Error(err)
		}
		if err := s.Connected(b.ctx); err != nil {
			t.Error(err)
		}
		_, err = rename(room.DoOptions{IfVersion: 5})
		wantReason(t, err, "VERSION_MISMATCH")
		r, err := b.store.Get(b.ctx, store.Conference, string(id))
		if err != nil {
			t.Fatal(err)
		}
		b.media.tell(string(s.ID()), loop.SpeechStarted, 0)
		b.media.tell(string(s.ID()), loop.DigitPressed, '1')
		synctest.Wait()
		if v, err = rename(room.DoOptions{IfVersion: r.Version}); err != nil || v.Version != r.Version+3 {
			t.Errorf("version %d after %d, %v", v.Version, r.Version, err)
		}
		for _, unknown := range []conference.ID{conference.ID(uuid.NewString()), "no uuid"} {
			_, err = b.host.Do(b.ctx, unknown, conference.Terminate{At: time.Now()}, room.DoOptions{})
			wantReason(t, err, "CONFERENCE_NOT_FOUND")
		}
		if n := b.host.Stats().Rooms; n != 1 {
			t.Errorf("%d rooms live", n)
		}
		_, err = b.host.Do(b.ctx, id, conference.Join{CustomerID: customer}, room.DoOptions{})
		wantReason(t, err, "INVALID_ARGUMENT")
	})
}

func TestNames(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{DirectHash: "aaaaaaaaaaaa", Settings: conference.Settings{DialIn: "sales"}})
		resolves := func(space, value string, want bool) {
			t.Helper()
			r, err := b.store.Resolve(b.ctx, space, value)
			if (err == nil) != want || want && r.ID != string(id) {
				t.Errorf("%s %s resolves to %q, %v", space, value, r.ID, err)
			}
		}
		resolves("direct", "aaaaaaaaaaaa", true)
		resolves("dial_in", "sales", true)
		_, err := b.host.Create(b.ctx, conference.Create{CustomerID: customer, ID: id})
		wantReason(t, err, "ALREADY_EXISTS")
		_, err = b.host.Create(b.ctx, conference.Create{CustomerID: customer, Settings: conference.Settings{DialIn: "sales"}})
		wantReason(t, err, "ALREADY_EXISTS")
		other := b.create(conference.Create{})
		taken := "sales"
		_, err = b.host.Do(b.ctx, other, conference.Update{At: time.Now(), Patch: conference.Patch{DialIn: &taken}}, room.DoOptions{})
		wantReason(t, err, "ALREADY_EXISTS")

		b.do(id, conference.SetDirectHash{At: time.Now(), Hash: "bbbbbbbbbbbb"})
		support := "support"
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{DialIn: &support}})
		resolves("direct", "aaaaaaaaaaaa", false)
		resolves("direct", "bbbbbbbbbbbb", true)
		resolves("dial_in", "sales", false)
		resolves("dial_in", "support", true)
		b.do(other, conference.Update{At: time.Now(), Patch: conference.Patch{DialIn: &taken}})
		b.do(id, conference.Terminate{At: time.Now()})
		resolves("direct", "bbbbbbbbbbbb", false)
		resolves("dial_in", "support", false)
	})
}

// goroutines counts those that have a stack to be shown: the runtime's own, which come and go with its garbage, have none.
func goroutines() int {
	all := make([]byte, 1<<20)
	return bytes.Count(all[:runtime.Stack(all, true)], []byte("\n\ngoroutine "))
}

func TestIdleRoomsCostNothing(t *testing.T) {
	bubble(t, func(b *bench) {
		before := goroutines()
		name := "used"
		for range 200 {
			id := b.create(conference.Create{Settings: conference.Settings{Timeout: 2 * time.Hour}})
			b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Name: &name}})
		}
		if n := b.host.Stats().Rooms; n != 200 {
			t.Errorf("%d rooms live", n)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := b.host.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms live", n)
		}
		if n := goroutines(); n > before {
			t.Errorf("%d goroutines, %d before", n, before)
		}
		time.Sleep(2 * time.Hour)
		live, err := b.store.List(b.ctx, store.Query{Kind: store.Conference, Live: true, Deleted: true, Limit: 1000})
		if err != nil || len(live) != 0 {
			t.Errorf("%d conferences outlived their timeout (%v)", len(live), err)
		}
		if n := b.host.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms live", n)
		}
	})
}

func TestJoinThatNobodyWaitsFor(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		b.store.slow(2 * time.Second)
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		_, err := b.host.Join(ctx, id, conference.Join{CustomerID: customer}, new(loop.Session))
		wantReason(t, err, "ROOM_BUSY")
		if ports, _ := b.media.count(); ports != 0 {
			t.Errorf("%d ports left", ports)
		}
		if c := b.conference(id); c.Count != 0 {
			t.Errorf("%d participants left", c.Count)
		}
	})
}
