package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"parley/internal/blob"
	"parley/internal/blob/dir"
	"parley/internal/blob/s3"
	"parley/internal/blob/sealed"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/config"
	"parley/internal/fault"
	"parley/internal/recording/archive"
	"parley/internal/recording/calls"
	"parley/internal/recording/capture"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/sqlite"
	"parley/internal/store/vault"
	"parley/internal/wall"
)

// openRecordings opens the folders of captures and of what is made of them, and ends the captures that a crash left open.
func (p *parts) openRecordings(files blob.Store) error {
	key, err := CaptureKey(&p.c)
	if err != nil {
		return err
	}
	var unsettled []string
	p.recordings, unsettled, err = archive.Open(archive.Options{
		Dir: filepath.Join(p.c.Data, "recordings"), Blobs: files,
		Capture: capture.Options{MinFree: int64(p.c.Recording.MinFree) << 20, GiveUp: p.c.Recording.GiveUp, Key: key},
	})
	if p.recordings == nil {
		return err
	}
	if err != nil {
		// The others are there, and the server has more to do than to record.
		p.log.Error("some recordings of the process before cannot be ended", "error", err)
	}
	p.unsettled = unsettled
	p.desk = calls.New(calls.Options{Store: p.store, Recorder: p.recordings, Patience: p.c.Recording.FinishDeadline, Log: p.log})
	return nil
}

// openFiles opens the store for what is made of recordings, which encrypts it when there is a key.
func (p *parts) openFiles(ctx context.Context) (blob.Store, error) {
	key, err := readKey(&p.c)
	if err != nil {
		return nil, err
	}
	files, err := p.openBlobs(ctx)
	if err != nil {
		return nil, err
	}
	waiting := filepath.Join(p.c.Data, "sealing")
	if err := errors.Join(os.RemoveAll(waiting), os.MkdirAll(waiting, 0o700)); err != nil {
		return nil, fmt.Errorf("folder of files to be encrypted: %w", err)
	}
	return sealed.New(files, waiting, key), nil
}

// openBlobs opens the bucket, or a folder when none is named. A bucket that cannot be reached just now keeps nobody from making calls.
func (p *parts) openBlobs(ctx context.Context) (blob.Store, error) {
	c := p.c.S3
	if c.Bucket == "" {
		return dir.Open(filepath.Join(p.c.Data, "files"))
	}
	s, err := s3.Open(ctx, s3.Options{
		Endpoint: c.Endpoint, Insecure: c.Insecure, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix, AccessKey: c.AccessKey, SecretKey: c.SecretKey,
	})
	if s != nil && err != nil {
		p.log.Error("cannot reach the store of files; recordings wait here until it answers", "error", err)
		err = nil
	}
	return s, err
}

// openStore opens the database. With the key of recordings it encrypts what holds secrets.
func (p *parts) openStore(ctx context.Context) error {
	key, err := readKey(&p.c)
	if err != nil {
		return err
	}
	var secret []byte
	if key != nil {
		secret = []byte(key.String())
	}
	if p.store.database, err = sqlite.Open(ctx, p.c.Data); err != nil {
		return err
	}
	p.store.Store, err = vault.New(p.store.database, secret, vault.Kinds...)
	return err
}

// readKey returns the key of recordings, nil when there is none.
func readKey(c *config.Config) (*age.X25519Identity, error) {
	if c.Recording.KeyFile == "" {
		return nil, nil
	}
	key, err := sealed.ReadKey(c.Recording.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("recording.key_file: %w", err)
	}
	return key, nil
}

// CaptureKey returns what captures are encrypted with, nil when they are not.
func CaptureKey(c *config.Config) ([]byte, error) {
	key, err := readKey(c)
	if err != nil || key == nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key.String()))
	return sum[:], nil
}

// retentionEvery is how often recordings are looked for that have been kept for long enough.
const retentionEvery = 10 * time.Minute

// keepRecordings deletes recordings whose time has come. It ends after the rooms, because they may wait for a file.
func (p *parts) keepRecordings(ctx context.Context) error {
	defer p.recordings.Close()
	defer p.desk.Close()
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for p.c.Recording.Retention > 0 {
		if err := p.expireRecordings(ctx, wall.Now().Add(-p.c.Recording.Retention)); err != nil && ctx.Err() == nil {
			p.log.Error("cannot delete old recordings; trying again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

// expireRecordings deletes the recordings that ended before the time.
func (p *parts) expireRecordings(ctx context.Context, before time.Time) error {
	q := store.Query{
		Kind: store.Recording, Status: []string{string(tape.Ended)}, Before: store.Cursor{Created: before}, Limit: 100,
	}
	for {
		page, err := p.store.List(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, record := range page {
			q.Before = store.Cursor{Created: record.Created, ID: record.ID}
			var r tape.Recording
			if err := json.Unmarshal(record.Doc, &r); err != nil {
				return fmt.Errorf("read recording %s: %w", record.ID, err)
			}
			if !r.Ended.Before(before) {
				continue
			}
			if err := p.forget(ctx, r); err != nil {
				return fmt.Errorf("delete recording %s: %w", r.ID, err)
			}
			if err := p.recordings.Remove(ctx, r.ID); err != nil {
				return err
			}
			p.log.Info("recording deleted by age", "recording", r.ID, "ended", r.Ended)
		}
	}
}

// forget marks a recording as deleted.
func (p *parts) forget(ctx context.Context, r tape.Recording) error {
	if r.CallID != "" {
		return p.desk.Delete(ctx, r.ID)
	}
	_, err := p.rooms.Do(ctx, conference.ID(r.ConferenceID), conference.DeleteRecording{At: wall.Now(), Recording: r}, room.DoOptions{})
	return err
}

// settleRecordings looks at captures whose end was not marked as told. Those that the log has the end of are settled, those that were deleted
// are removed. Those that are live are told of by their rooms. What no record tells of is left alone: it is sound that somebody may miss.
func (p *parts) settleRecordings(ctx context.Context) error {
	for _, id := range p.unsettled {
		record, err := p.store.Get(ctx, store.Recording, id)
		switch {
		case fault.KindOf(err) == fault.NotFound:
			p.log.Warn("a capture has no recording; 'parley recordings export' makes a file of it", "recording", id, "file", capture.Path(filepath.Join(p.c.Data, "recordings"), id))
		case err != nil:
			return fmt.Errorf("settle recordings: %w", err)
		case record.Deleted:
			err = p.recordings.Remove(ctx, id)
		case record.Status == string(tape.Ended):
			err = p.recordings.Settle(id)
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			p.log.Error("settle a recording", "recording", id, "error", err)
		}
	}
	p.unsettled = nil
	return nil
}

// recordingSamples are the figures of recordings.
func (p *parts) recordingSamples() []sample {
	s := p.recordings.Stats()
	return []sample{
		gauge("recordings_live", "Captures that run.", float64(s.Live)),
		gauge("recordings_unfinished", "Recordings that run or whose file is being made.", float64(p.rooms.Stats().Recordings+p.desk.Kept())),
		counter("recordings_started_total", "Captures started.", s.Started),
		counter("recording_renditions_total", "Renditions that could be had.", s.Rendered),
		counter("recording_failures_total", "Captures that ended in trouble, and renditions that could not be made.", s.Failed),
		counter("recording_frames_lost_total", "Frames of 20 ms that the disk was too slow for.", s.Lost),
	}
}
