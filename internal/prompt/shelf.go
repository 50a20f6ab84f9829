package prompt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"parley/internal/blob"
	"parley/internal/fault"
	"parley/internal/prompt/decode"
	"parley/internal/prompt/loudness"
	"parley/internal/prompt/tone"
	"parley/internal/prompt/voice"
	"parley/internal/webhook/target"
)

// Options of Open. What is 0 has the default that is named.
type Options struct {
	Blobs    blob.Store    // where blob: leads; nil refuses it
	Dir      string        // the folder of what is kept; it may be deleted while the server is down
	Guard    *target.Guard // which addresses may be called
	Language string        // of texts that name none; "" is en-US
	MaxSize  int64         // of a file in bytes; 20 MiB
	Longest  time.Duration // of a sound; 30 min
	Timeout  time.Duration // of fetching one; 15 s
	Memory   int64         // bytes of sounds that are kept in memory; 64 MiB
	Disk     int64         // bytes that are kept in Dir; 512 MiB
}

func (o *Options) defaults() {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.MaxSize, 20<<20)
	set((*int64)(&o.Longest), int64(30*time.Minute))
	set((*int64)(&o.Timeout), int64(15*time.Second))
	set(&o.Memory, 64<<20)
	set(&o.Disk, 512<<20)
}

// Shelf is the Library of the server.
type Shelf struct {
	o       Options
	client  *http.Client
	speaker *voice.Speaker
	disk    *disk
	memory  *lru[kept]
	flights flights
	decodes chan struct{} // sounds that are decoded at once
	now     func() time.Time

	toneMu sync.Mutex
	tones  map[string]Sound
}

// kept is a sound in memory; meta is zero for what was not fetched.
type kept struct {
	sound Sound
	meta  meta
}

// Open returns a library that keeps its sounds in o.Dir, which is made. It need not be closed.
func Open(o Options) (*Shelf, error) {
	o.defaults()
	d, err := openDisk(o.Dir, o.Disk)
	if err != nil {
		return nil, err
	}
	s := &Shelf{
		o: o, disk: d, memory: newLRU[kept](o.Memory, nil), flights: flights{going: map[string]*flight{}},
		speaker: voice.Open(voice.Options{Dir: o.Dir, Language: o.Language}),
		decodes: make(chan struct{}, 2), now: time.Now, tones: map[string]Sound{},
	}
	s.client = newClient(o)
	return s, nil
}

// id is the name under which something is kept.
func id(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// keep keeps a sound in memory.
func (s *Shelf) keep(key string, k kept) {
	s.memory.put(key, k, int64(2*len(k.sound.Samples)+256))
}

// Key is where the file of blob:<name> lies in the blob store.
func Key(customerID, name string) string { return "prompts/" + customerID + "/" + name }

// Fetch returns what is at an http or https URL, or at blob:<key> in the customer's part of the blob store, as loud as people speak.
func (s *Shelf) Fetch(ctx context.Context, customerID, url string) (Sound, error) {
	if name, ok := strings.CutPrefix(url, "blob:"); ok {
		return s.stored(ctx, customerID, name)
	}
	if s.o.Guard.URL(url) != nil {
		return Sound{}, fault.New(fault.Denied, refused,
			"the sound cannot be fetched: use an http or https URL with a public address and without user or password, or blob:<key>")
	}
	key := id("fetch", customerID, url)
	return s.flights.do(ctx, key, func() (Sound, error) { return s.fetched(ctx, key, url) })
}

// stored returns what lies in the blob store. Nothing of it is kept on disk: the store is near.
func (s *Shelf) stored(ctx context.Context, customerID, name string) (Sound, error) {
	path := Key(customerID, name)
	if s.o.Blobs == nil || customerID == "" || blob.CheckKey(customerID) != nil || strings.Contains(customerID, "/") || blob.CheckKey(path) != nil {
		return Sound{}, fault.New(fault.Denied, refused, "blob:%.64s cannot be fetched: use a key of letters, digits, dots, dashes and slashes", name)
	}
	info, err := s.o.Blobs.Stat(ctx, path)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return Sound{}, unreachable("there is no file blob:%s: put it there first", name)
	case err != nil:
		return Sound{}, fmt.Errorf("look at blob:%s: %w", name, err)
	case info.Size > s.o.MaxSize:
		return Sound{}, s.tooLarge()
	}
	key := id("blob", path, info.Modified.String(), fmt.Sprint(info.Size))
	if k, ok := s.memory.get(key); ok {
		return k.sound, nil
	}
	return s.flights.do(ctx, key, func() (Sound, error) {
		if k, ok := s.memory.get(key); ok {
			return k.sound, nil
		}
		r, _, err := s.o.Blobs.Open(ctx, path, 0, -1)
		if err != nil {
			return Sound{}, fmt.Errorf("open blob:%s: %w", name, err)
		}
		defer r.Close()
		data, err := s.readAll(r)
		if err != nil {
			return Sound{}, fmt.Errorf("read blob:%s: %w", name, err)
		}
		sound, err := s.decode(ctx, data)
		if err == nil {
			s.keep(key, kept{sound: sound})
		}
		return sound, err
	})
}

// readAll reads a file up to the limit.
func (s *Shelf) readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, s.o.MaxSize+1))
	if err == nil && int64(len(data)) > s.o.MaxSize {
		err = s.tooLarge()
	}
	return data, err
}

func (s *Shelf) tooLarge() error {
	return fault.New(fault.Invalid, decode.TooLarge, "the sound has more than %d bytes: use a shorter one, or Ogg Opus", s.o.MaxSize)
}

// decode makes a sound of a file, as loud as people speak.
func (s *Shelf) decode(ctx context.Context, data []byte) (Sound, error) {
	select {
	case s.decodes <- struct{}{}:
		defer func() { <-s.decodes }()
	case <-ctx.Done():
		return Sound{}, ctx.Err()
	}
	samples, rate, err := decode.File(ctx, data, s.o.Longest)
	if err != nil {
		return Sound{}, err
	}
	loudness.Adjust(samples, rate)
	return Sound{Samples: samples, Rate: rate}, nil
}

// Say returns a text as speech, as loud as people speak. What was said once is kept.
func (s *Shelf) Say(ctx context.Context, speech Speech) (Sound, error) {
	pieces, err := voice.Read(speech.Text)
	if err != nil {
		return Sound{}, err
	}
	choice, err := s.speaker.Choose(ctx, speech.Language, speech.Provider, speech.Voice)
	if err != nil {
		return Sound{}, err
	}
	key := id("say", choice.Program, choice.Voice, speech.Text)
	if k, ok := s.memory.get(key); ok {
		return k.sound, nil
	}
	return s.flights.do(ctx, key, func() (Sound, error) { return s.spoken(ctx, key, choice, pieces) })
}

func (s *Shelf) spoken(ctx context.Context, key string, choice voice.Choice, pieces []voice.Piece) (Sound, error) {
	if k, ok := s.memory.get(key); ok {
		return k.sound, nil
	}
	if h, body, ok := s.disk.get(key); ok && h.Rate > 0 {
		sound := Sound{Samples: make([]int16, len(body)/2), Rate: h.Rate}
		for i := range sound.Samples {
			sound.Samples[i] = int16(binary.LittleEndian.Uint16(body[2*i:]))
		}
		s.keep(key, kept{sound: sound})
		return sound, nil
	}
	samples, rate, err := s.speaker.Speak(ctx, choice, pieces)
	if err != nil {
		return Sound{}, err
	}
	loudness.Adjust(samples, rate)
	body := make([]byte, 0, 2*len(samples))
	for _, v := range samples {
		body = binary.LittleEndian.AppendUint16(body, uint16(v))
	}
	s.disk.put(key, head{Rate: rate}, body)
	sound := Sound{Samples: samples, Rate: rate}
	s.keep(key, kept{sound: sound})
	return sound, nil
}

// Tone returns a built-in sound: beep, join, leave, locked, refused, muted, unmuted, recording, ringback, busy, congestion or music. The last four
// may be repeated without a seam. Others are refused with TONE_UNKNOWN.
func (s *Shelf) Tone(name string) (Sound, error) {
	s.toneMu.Lock()
	defer s.toneMu.Unlock()
	if sound, ok := s.tones[name]; ok {
		return sound, nil
	}
	samples, rate, ok := tone.Make(name)
	if !ok {
		return Sound{}, fault.New(fault.Invalid, "TONE_UNKNOWN", "there is no sound %.40q: use one of %s", name, strings.Join(tone.Names(), ", "))
	}
	sound := Sound{Samples: samples, Rate: rate}
	s.tones[name] = sound
	return sound, nil
}
