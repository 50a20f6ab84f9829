package room_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
	"parley/internal/store"
)

func TestStoreFailsForTenSeconds(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{Timeout: time.Hour}})
		leaves, talks, comes, stays := b.enter(id), b.enter(id), b.join(id), b.enter(id)
		time.Sleep(time.Hour - 5*time.Second)
		b.store.fail(errFull)
		start := time.Now()

		_, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, new(loop.Session))
		wantReason(t, err, "STORE_FULL")
		_, err = b.host.Do(b.ctx, id, conference.Kick{At: time.Now(), ID: stays.ID()}, room.DoOptions{})
		wantReason(t, err, "STORE_FULL")
		b.media.tell(string(comes.ID()), loop.Connected, 0)
		b.media.tell(string(talks.ID()), loop.SpeechStarted, 0)
		b.media.tell(string(talks.ID()), loop.DigitPressed, '7')
		left := make(chan error, 1)
		go func() { left <- leaves.Leave(b.ctx, conference.LeftHangup) }()
		time.Sleep(10 * time.Second) // the timeout of the conference comes meanwhile
		for _, s := range []*room.Seat{talks, comes, stays} {
			b.wantOpen(s) // audio goes on: nothing takes effect that is not written
		}
		select {
		case err := <-left:
			t.Errorf("leave returned %v before it was written", err)
		default:
		}

		b.store.fail(nil)
		if err := <-left; err != nil {
			t.Error(err)
		}
		time.Sleep(6 * time.Second)
		for _, s := range []*room.Seat{talks, comes, stays} {
			b.wantEnd(s, conference.LeftTimeout)
		}
		if p := b.participant(leaves); p.LeaveReason != conference.LeftHangup {
			t.Errorf("who hung up left with %s", p.LeaveReason)
		}
		if c := b.conference(id); c.Status != conference.Terminated || c.Ended.Sub(start) > 16*time.Second {
			t.Errorf("conference is %s, ended after %v", c.Status, c.Ended.Sub(start))
		}
	})
}

func TestFactsWaitForTheStore(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.join(id)
		b.store.fail(errors.New("disk I/O error"))
		for range 100 {
			b.media.tell(string(s.ID()), loop.Connected, 0)
			b.media.tell(string(s.ID()), loop.SpeechStarted, 0)
			b.media.tell(string(s.ID()), loop.SpeechStopped, 0)
		}
		b.media.tell(string(s.ID()), loop.SpeechStarted, 0)
		b.media.tell(string(s.ID()), loop.DigitPressed, '1')
		b.media.tell(string(s.ID()), loop.DigitPressed, '2')
		time.Sleep(30 * time.Second)
		b.store.fail(nil)
		time.Sleep(6 * time.Second)
		b.wantOpen(s)
		b.wantLog(id, "c_created", "c_updated", "joining", "joined", "c_updated", "speech_started", "digit_received", "digit_received")
	})
}

func TestSlowStoreCountsAsFailed(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		b.store.slow(time.Minute)
		_, err := b.host.Do(b.ctx, id, conference.Kick{At: time.Now(), ID: s.ID()}, room.DoOptions{})
		wantReason(t, err, "STORE_BUSY")
		time.Sleep(time.Minute)
		b.wantOpen(s)
	})
}

func TestKickedBetweenTwoAppends(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		go func() { // the first append comes through, the second does not
			<-s.Done()
			b.store.fail(nil)
		}()
		b.store.slow(10 * time.Millisecond)
		go func() {
			time.Sleep(12 * time.Millisecond)
			b.store.fail(errFull)
		}()
		b.do(id, conference.Kick{At: time.Now(), ID: s.ID()})
		time.Sleep(time.Second)
		b.wantEnd(s, conference.LeftKicked)
		if p := b.participant(s); p.Status != conference.Leaved {
			t.Errorf("participant is %s", p.Status)
		}
	})
}

func TestFenced(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s, other := b.enter(id), b.enter(id)
		_, version, err := b.store.Last(b.ctx, "conference/"+string(id))
		if err != nil {
			t.Fatal(err)
		}
		err = b.store.Append(b.ctx, &store.Change{
			Key: "conference/" + string(id), Version: version,
			Events: []store.Event{{ID: "foreign", Type: "foreign", At: time.Now(), Conference: string(id), Data: []byte("{}")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		name := "new"
		v := b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Name: &name}})
		if v.Conference.Name != "new" || v.Version != version+2 {
			t.Errorf("after the fence: %q at version %d", v.Conference.Name, v.Version)
		}
		b.wantEnd(s, conference.LeftLost)
		b.wantEnd(other, conference.LeftLost)
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
		if err := s.Leave(b.ctx, conference.LeftLost); err != nil { // its line ends
			t.Error(err)
		}
		time.Sleep(20 * time.Second) // the other's line does not: the health check finds the ghost
		if p := b.participant(other); p.Status != conference.Leaved || p.LeaveReason != conference.LeftCallEnded {
			t.Errorf("ghost is %s (%s)", p.Status, p.LeaveReason)
		}
	})
}

func TestRecover(t *testing.T) {
	bubble(t, func(b *bench) {
		permanent, connect, ending := b.create(conference.Create{}), b.create(conference.Create{Type: conference.Connect}), b.create(conference.Create{})
		var seats []*room.Seat
		for _, id := range []conference.ID{permanent, connect, ending} {
			seats = append(seats, b.enter(id), b.join(id))
			b.media.tell(string(seats[len(seats)-2].ID()), loop.SpeechStarted, 0)
		}
		synctest.Wait()
		b.store.slow(time.Millisecond)
		go func() {
			time.Sleep(1500 * time.Microsecond)
			b.store.fail(errFull) // the power goes
		}()
		b.do(ending, conference.Terminate{At: time.Now()})
		time.Sleep(time.Second)
		b.stop()
		b.store.fail(nil)
		b.store.slow(0)
		if c := b.conference(ending); c.Status != conference.Terminating {
			t.Fatalf("conference died %s", c.Status)
		}

		b.start()
		for _, s := range seats[:4] {
			if p := b.participant(s); p.Status != conference.Leaved || p.LeaveReason != conference.LeftLost {
				t.Errorf("participant is %s (%s)", p.Status, p.LeaveReason)
			}
		}
		for id, want := range map[conference.ID]conference.Status{
			permanent: conference.Progressing, connect: conference.Terminated, ending: conference.Terminated,
		} {
			if c := b.conference(id); c.Status != want || c.Count != 0 || len(c.Joined) != 0 {
				t.Errorf("conference is %s with %d, want %s", c.Status, c.Count, want)
			}
		}
		synctest.Wait()
		if n := b.host.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms live after the recovery", n)
		}
		b.wantOpen(b.enter(permanent))
	})
}

func TestRecoverTouchesOnlyWhatLived(t *testing.T) {
	bubble(t, func(b *bench) {
		for range 1500 {
			b.create(conference.Create{})
		}
		b.stop()
		before := b.store.count()
		begin := time.Now()
		b.start()
		if n := b.store.count() - before; n != 0 || time.Since(begin) > 0 {
			t.Errorf("recovery made %d appends and took %v", n, time.Since(begin))
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, func(b *bench) {
		permanent, connect := b.create(conference.Create{}), b.create(conference.Create{Type: conference.Connect})
		seats := []*room.Seat{b.enter(permanent), b.join(permanent), b.enter(connect), b.enter(connect)}
		begin := time.Now()
		b.stop()
		if d := time.Since(begin); d > 100*time.Millisecond {
			t.Errorf("stop took %v", d)
		}
		for _, s := range seats {
			b.wantEnd(s, conference.LeftLost)
		}
		if c := b.conference(permanent); c.Status != conference.Progressing || c.Count != 0 {
			t.Errorf("permanent conference is %s with %d", c.Status, c.Count)
		}
		if c := b.conference(connect); c.Status != conference.Terminated || c.EndReason != conference.EndInterrupted {
			t.Errorf("connect conference is %s (%s)", c.Status, c.EndReason)
		}
		_, err := b.host.Do(b.ctx, permanent, conference.Terminate{At: time.Now()}, room.DoOptions{})
		wantReason(t, err, "STOPPING")
		_, err = b.host.Create(b.ctx, conference.Create{CustomerID: customer})
		wantReason(t, err, "STOPPING")
	})
}

func TestStopWithoutStore(t *testing.T) {
	bubble(t, func(b *bench) {
		s := b.enter(b.create(conference.Create{}))
		b.store.fail(errFull)
		begin := time.Now()
		b.stop()
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("stop took %v", d)
		}
		b.wantEnd(s, conference.LeftLost)
		b.store.fail(nil)
		b.start()
	})
}
