package room_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/blob/dir"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/archive"
	"parley/internal/recording/capture"
	"parley/internal/recording/deck"
	"parley/internal/recording/render"
	"parley/internal/room"
	"parley/internal/store"
)

// studio is a bubble whose host records into a folder.
func studio(t *testing.T, free int64, f func(b *bench)) {
	t.Helper()
	dir := t.TempDir()
	bubble(t, func(b *bench) {
		b.stop()
		b.open(dir, free)
		f(b)
	})
}

// open starts the host anew, as after a crash or a stop, with the archive in the folder.
func (b *bench) open(folder string, free int64) {
	b.Helper()
	files, err := dir.Open(filepath.Join(folder, "files"))
	if err != nil {
		b.Fatal(err)
	}
	a, _, err := archive.Open(archive.Options{
		Dir: filepath.Join(folder, "recordings"), Blobs: files, Capture: capture.Options{MinFree: free},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.archive = a
	b.start()
}

func (b *bench) record(id conference.ID, o tape.Options) string {
	b.Helper()
	return b.do(id, conference.StartRecording{Options: o}).Conference.Recordings.Active
}

// wantRecording waits for the end of a recording and returns it.
func (b *bench) wantRecording(id string, reason tape.Reason) (r tape.Recording) {
	b.Helper()
	for range 100 {
		synctest.Wait()
		if b.read(store.Recording, id, &r); r.Status == tape.Ended {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r.Status != tape.Ended || r.EndReason != reason {
		b.Fatalf("recording is %s (%s), want it ended (%s)", r.Status, r.EndReason, reason)
	}
	return r
}

func TestRecordedRoom(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{})
		rec := b.record(id, tape.Options{})
		if ports, mixers := b.media.count(); ports != 0 || mixers != 1 {
			t.Errorf("an empty room that is recorded has %d ports, %d mixers", ports, mixers)
		}
		_, err := b.host.Do(b.ctx, id, conference.StartRecording{At: time.Now()}, room.DoOptions{})
		wantReason(t, err, "RECORDING_ALREADY_ACTIVE")
		time.Sleep(time.Second)
		s := b.enter(id)
		time.Sleep(time.Second)
		on, off := true, false
		b.do(id, conference.Set{At: time.Now(), ID: s.ID(), Patch: conference.ParticipantPatch{Muted: &on}})
		time.Sleep(time.Second)
		b.do(id, conference.Set{At: time.Now(), ID: s.ID(), Patch: conference.ParticipantPatch{Muted: &off}})
		b.do(id, conference.PauseRecording{At: time.Now()})
		time.Sleep(time.Second)
		b.do(id, conference.ResumeRecording{At: time.Now()})
		time.Sleep(time.Second)
		if v := b.do(id, conference.StopRecording{At: time.Now()}); v.Conference.Recordings.Active != "" {
			t.Errorf("recording_id is %q after the stop", v.Conference.Recordings.Active)
		}
		r := b.wantRecording(rec, tape.ByRequest)
		if r.Length < 3900*time.Millisecond || r.Length > 4100*time.Millisecond || r.Size < 44+2*8000*3 || r.SHA256 == "" {
			t.Errorf("recording of four seconds, and one that was skipped, has %v, %d bytes, checksum %q", r.Length, r.Size, r.SHA256)
		}
		b.wantLane(rec, s, 2*time.Second, "join", "consent", "mute", "unmute")
		b.wantOpen(s)
		b.wantLog(id, "c_created", "c_updated", "recording_started", "c_updated", "joining", "joined", "c_updated", "updated", "updated",
			"recording_paused", "recording_resumed", "c_updated", "recording_finished")
		if err := s.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers left", ports, mixers)
		}
	})
}

// wantLane checks what is stored of a participant.
func (b *bench) wantLane(rec string, s *room.Seat, stored time.Duration, events ...string) {
	b.Helper()
	m, err := b.archive.Manifest(b.ctx, rec)
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(m.Tracks, func(t render.Track) bool { return t.Tag == string(s.ID()) })
	if i < 0 {
		b.Fatalf("no track of %s in %+v", s.ID(), m.Tracks)
	}
	if have := time.Duration(m.Tracks[i].Stored) * time.Millisecond; have < stored-100*time.Millisecond || have > stored+100*time.Millisecond {
		b.Errorf("%v are stored, want %v", have, stored)
	}
	var have []string
	for _, e := range m.Events {
		if e.Tag == string(s.ID()) {
			have = append(have, e.Type)
		}
	}
	if !slices.Equal(have, events) {
		b.Errorf("the lane tells of %q, want %q", have, events)
	}
}

func TestRecordingEndsBeforeTheConference(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		rec := b.record(id, tape.Options{Format: "ogg"})
		time.Sleep(time.Second)
		b.do(id, conference.Terminate{At: time.Now(), Delete: true})
		b.wantEnd(s, conference.LeftTerminated)
		b.wantRecording(rec, tape.ByConference)
		if c := b.conference(id); c.Status != conference.Terminated {
			t.Errorf("conference is %s", c.Status)
		}
		if log := b.log(id); !slices.Equal(log[len(log)-2:], []string{"recording_finished", "c_deleted"}) {
			t.Errorf("log ends with %q", log)
		}
		if _, mixers := b.media.count(); mixers != 0 {
			t.Errorf("%d mixers left", mixers)
		}
		before := len(b.log(id))
		for range 2 {
			b.do(id, conference.DeleteRecording{At: time.Now(), Recording: tape.Recording{ID: rec}})
		}
		if log := b.log(id)[before:]; !slices.Equal(log, []string{"recording_deleted"}) {
			t.Errorf("two deletions are told as %q", log)
		}
		_, err := b.host.Do(b.ctx, id, conference.DeleteRecording{At: time.Now()}, room.DoOptions{})
		wantReason(t, err, "RECORDING_NOT_FOUND")
	})
}

func TestRecordingReachesItsLimit(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{})
		rec := b.record(id, tape.Options{Duration: 3 * time.Second})
		time.Sleep(4 * time.Second)
		if r := b.wantRecording(rec, tape.ByLimit); r.Length < 2900*time.Millisecond || r.Length > 3*time.Second {
			t.Errorf("a recording of at most 3 s has %v", r.Length)
		}
		if c := b.conference(id); c.Recordings.Active != "" || len(c.Recordings.All) != 1 || c.Status != conference.Progressing {
			t.Errorf("conference: %+v, %s", c.Recordings, c.Status)
		}
	})
}

func TestRecordingIsInterruptedByAStop(t *testing.T) {
	folder := t.TempDir()
	bubble(t, func(b *bench) {
		b.stop()
		b.open(folder, 1<<20)
		id := b.create(conference.Create{})
		b.enter(id)
		rec := b.record(id, tape.Options{})
		time.Sleep(2 * time.Second)
		b.stop()
		b.open(folder, 1<<20)
		if r := b.wantRecording(rec, tape.ByCrash); r.Length < 1800*time.Millisecond {
			t.Errorf("%v of two seconds are there", r.Length)
		}
		b.stop()
		b.open(folder, 1<<20)
		if log := b.log(id); log[len(log)-1] != "recording_finished" || slices.Index(log, "recording_finished") != len(log)-1 {
			t.Errorf("log: %q", log)
		}
	})
}

func TestRecordingThatCannotStart(t *testing.T) {
	studio(t, 1<<60, func(b *bench) {
		id := b.create(conference.Create{})
		start := conference.StartRecording{At: time.Now()}
		_, err := b.host.Do(b.ctx, id, start, room.DoOptions{})
		wantReason(t, err, "DISK_FULL")
		_, err = b.host.Do(b.ctx, id, start, room.DoOptions{CustomerID: "60000000-0000-4000-8000-000000000000"})
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
		_, err = b.host.Do(b.ctx, id, conference.StopRecording{At: time.Now()}, room.DoOptions{})
		wantReason(t, err, "RECORDING_NOT_ACTIVE")
		b.wantLog(id, "c_created", "c_updated")
	})
}

func TestStoreFailsWhenARecordingStarts(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		id := b.create(conference.Create{})
		b.store.fail(fault.New(fault.Unavailable, "STORE_FULL", "no space"))
		if _, err := b.host.Do(b.ctx, id, conference.StartRecording{At: time.Now()}, room.DoOptions{}); err == nil {
			t.Error("started without being written")
		}
		b.store.fail(nil)
		if _, mixers := b.media.count(); mixers != 0 || b.archive.Stats().Live != 0 {
			t.Errorf("%d mixers, %d captures left", mixers, b.archive.Stats().Live)
		}
		b.wantRecording(b.recordFor(id, time.Second), tape.ByRequest)
	})
}

func (b *bench) recordFor(id conference.ID, d time.Duration) string {
	b.Helper()
	rec := b.record(id, tape.Options{})
	time.Sleep(d)
	b.do(id, conference.StopRecording{At: time.Now()})
	return rec
}

// fullDisk is an archive whose captures end because there is no space.
type fullDisk struct{ *archive.Archive }

func (f fullDisk) Start(r tape.Recording) (*capture.Capture, error) {
	c, err := f.Archive.Start(r)
	if err == nil {
		time.AfterFunc(time.Second, func() { c.Stop(capture.DiskFull) })
	}
	return c, err
}

func TestDiskIsFull(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		b.stop()
		b.wrap = func(a *archive.Archive) deck.Recorder { return fullDisk{a} }
		b.start()
		id := b.create(conference.Create{})
		s := b.enter(id)
		rec := b.record(id, tape.Options{})
		time.Sleep(2 * time.Second)
		r := b.wantRecording(rec, tape.DiskFull)
		if r.Length < 900*time.Millisecond || r.Size < 44 {
			t.Errorf("a second was there before the disk was full: %+v", r)
		}
		b.wantOpen(s)
		log := b.log(id)
		if !slices.Equal(log[len(log)-2:], []string{"c_updated", "recording_failed"}) {
			t.Errorf("log: %q", log)
		}
	})
}

// unreachable is an archive that cannot keep files for a while.
type unreachable struct {
	*archive.Archive
	tries *int
}

func (u unreachable) Finish(ctx context.Context, id, format string) (f tape.File, failure tape.Reason, err error) {
	if *u.tries++; *u.tries < 4 {
		return f, "", fault.New(fault.Unavailable, "BLOB_UNAVAILABLE", "cannot reach the store")
	}
	return u.Archive.Finish(ctx, id, format)
}

func TestFilesCannotBeKeptForAWhile(t *testing.T) {
	studio(t, 1<<20, func(b *bench) {
		b.stop()
		tries := 0
		b.wrap = func(a *archive.Archive) deck.Recorder { return unreachable{a, &tries} }
		b.start()
		rec := b.recordFor(b.create(conference.Create{}), time.Second)
		time.Sleep(20 * time.Second)
		if r := b.wantRecording(rec, tape.ByRequest); r.Size == 0 || tries != 4 {
			t.Errorf("after %d tries: %+v", tries, r)
		}
	})
}
