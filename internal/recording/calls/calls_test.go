package calls_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/audio"
	"parley/internal/blob/dir"
	"parley/internal/codec"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording/archive"
	"parley/internal/recording/calls"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
	"parley/internal/store"
	"parley/internal/store/memory"
)

// bench is a desk, and rooms that tick in virtual time.
type bench struct {
	*testing.T
	store   store.Store
	archive *archive.Archive
	desk    *calls.Desk
}

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(b *bench)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, store: memory.New()}
		b.open(folder)
		f(b)
		b.desk.Close()
		b.archive.Close()
	})
}

func (b *bench) open(folder string) {
	files, err := dir.Open(filepath.Join(folder, "files"))
	if err != nil {
		b.Fatal(err)
	}
	b.archive, _, err = archive.Open(archive.Options{Dir: filepath.Join(folder, "recordings"), Blobs: files, Capture: capture.Options{MinFree: 1 << 20}})
	if err != nil {
		b.Fatal(err)
	}
	b.desk = calls.New(calls.Options{
		Store: b.store, Recorder: b.archive, Patience: time.Minute,
	})
}

// voice is a leg that speaks a tone.
type voice struct {
	hz   float64 // 0: silent
	tone *audio.Tone
}

func (v *voice) SetRate(rate int) error {
	v.tone = audio.NewTone(v.hz, -20, rate, 0)
	return nil
}

func (v *voice) Pull(dst []int16, _ time.Duration) bool {
	if v.hz == 0 {
		return false
	}
	v.tone.Read(dst)
	return true
}

func (v *voice) Format() (codec.Format, bool) { return codec.Find("PCMU") }
func (v *voice) Ready() bool                  { return true }
func (v *voice) Loss() int                    { return 0 }
func (v *voice) Send([]byte)                  {}

// room is a mixer with a tap from outside.
type room struct {
	mu  sync.Mutex // as the loop has its thread
	mix *mixer.Room
}

func (b *bench) room(voices map[string]*voice) *room {
	r := &room{mix: mixer.New()}
	for tag, v := range voices {
		if _, err := r.mix.Enter(v, mixer.Options{Tag: tag}); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

func (r *room) tap(t mixer.Tap) (remove func()) {
	r.do(func() { r.mix.AddTap(t) })
	return func() { r.do(func() { r.mix.RemoveTap(t) }) }
}

func (r *room) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// run lets the room tick.
func (r *room) run(d time.Duration) {
	for ; d > 0; d -= 20 * time.Millisecond {
		r.do(func() { r.mix.Tick(0) })
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *bench) start(call string, o tape.Options) *calls.Recording {
	b.Helper()
	x, err := b.desk.Start(b.Context(), calls.Request{CallID: call, CustomerID: uuid.NewString(), Options: o})
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// wantEnd waits for the end of a recording.
func (b *bench) wantEnd(id string, reason tape.Reason) (r tape.Recording) {
	b.Helper()
	for range 200 {
		synctest.Wait()
		record, err := b.store.Get(b.Context(), store.Recording, id)
		if err != nil {
			b.Fatal(err)
		}
		if r = read(b.T, record.Doc); r.Status == tape.Ended {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r.Status != tape.Ended || r.EndReason != reason {
		b.Fatalf("recording is %s (%s), want it ended (%s)", r.Status, r.EndReason, reason)
	}
	return r
}

// level returns the level of a tone in a second of a rendition's channel, in dBov.
func (b *bench) level(id string, what render.Rendition, channel int, from time.Duration, hz float64) float64 {
	b.Helper()
	f, err := b.archive.File(b.Context(), id, what)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil {
		b.Fatal(err)
	}
	at := 44 + int(from.Seconds()*float64(f.Rate))*2*f.Channels
	var re, im float64
	n := f.Rate / 2
	for i := range n {
		v := float64(int16(binary.LittleEndian.Uint16(all[at+2*(i*f.Channels+channel):])))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(f.Rate))
		re, im = re+v*c, im+v*s
	}
	return 20 * math.Log10(math.Hypot(re, im)/float64(n)*2/32768/math.Sqrt2+1e-9)
}

var stereo = render.Rendition{Kind: render.Stereo, Format: render.WAV}

// TestLanes: the caller is left, what it hears is right, through a move from one room to another, and time goes on between them.
func TestLanes(t *testing.T) {
	bubble(t, func(b *bench) {
		call := uuid.NewString()
		x := b.start(call, tape.Options{})
		_, err := b.desk.Start(b.Context(), calls.Request{CallID: call})
		wantReason(t, err, "RECORDING_ALREADY_ACTIVE")
		caller := &voice{hz: 440}
		booth := b.room(map[string]*voice{"port": caller, "other": {hz: 1000}})
		x.Switch(booth.tap, "port")
		booth.run(time.Second)
		meeting := b.room(map[string]*voice{"seat": caller, "another": {hz: 1500}})
		meeting.mix.Skip(12345)
		x.Switch(nil, "")
		time.Sleep(500 * time.Millisecond)
		booth.run(500 * time.Millisecond) // what the room says that the call has left is nobody's business
		x.Switch(meeting.tap, "seat")
		meeting.run(time.Second)
		r, err := b.desk.Stop(b.Context(), call, tape.ByRequest)
		if err != nil || r.Status == tape.Running || r.EndReason != tape.ByRequest {
			t.Fatalf("stopped as %+v, %v", r, err)
		}
		<-x.Stopped()
		r = b.wantEnd(x.ID(), tape.ByRequest)
		if r.Length < 2950*time.Millisecond || r.Length > 3050*time.Millisecond {
			t.Errorf("three seconds became %v", r.Length)
		}
		for _, c := range []struct {
			channel int
			from    time.Duration
			hz      float64
			want    bool
		}{
			{0, 300 * time.Millisecond, 440, true},
			{1, 300 * time.Millisecond, 1000, true},
			{1, 300 * time.Millisecond, 440, false},
			{0, 1200 * time.Millisecond, 440, false},
			{1, 1200 * time.Millisecond, 1000, false},
			{0, 2300 * time.Millisecond, 440, true},
			{1, 2300 * time.Millisecond, 1500, true},
			{1, 2300 * time.Millisecond, 1000, false},
			{1, 2300 * time.Millisecond, 440, false},
		} {
			if got := b.level(x.ID(), stereo, c.channel, c.from, c.hz); (got > -26) != c.want || !c.want && got > -70 {
				t.Errorf("channel %d at %v: %.0f Hz at %.1f dBov", c.channel, c.from, c.hz, got)
			}
		}
		if _, err = b.desk.Stop(b.Context(), call, tape.ByRequest); err == nil {
			t.Error("stopped twice")
		}
		wantReason(t, err, "RECORDING_NOT_ACTIVE")
		b.wantLog("recording_started", "recording_updated", "recording_finished")
	})
}

func (b *bench) wantLog(want ...string) {
	b.Helper()
	events, _, err := b.store.Events(b.Context(), store.LogQuery{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Type)
	}
	if !slices.Equal(got, want) {
		b.Errorf("log %q, want %q", got, want)
	}
}

// TestEnds: a recording ends by itself, and tells so.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      tape.Options
		reason tape.Reason
		talk   time.Duration // of the caller
		length time.Duration
		do     func(b *bench, x *calls.Recording, call string)
	}{
		{name: "limit", o: tape.Options{Duration: 2 * time.Second}, reason: tape.ByLimit, length: 2 * time.Second},
		{name: "silence", o: tape.Options{EndOfSilence: time.Second}, reason: tape.BySilence, talk: time.Second, length: 3 * time.Second},
		{name: "key", o: tape.Options{EndOfKey: "#*"}, reason: tape.ByKey, talk: 4 * time.Second, length: 4 * time.Second, do: func(_ *bench, x *calls.Recording, _ string) {
			x.Key('1')
			x.Key('#')
		}},
		{name: "call", reason: tape.ByCall, talk: 4 * time.Second, length: 4 * time.Second, do: func(b *bench, x *calls.Recording, call string) {
			if _, err := b.desk.Stop(b.Context(), call, tape.ByCall); err != nil {
				b.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(b *bench) {
				call := uuid.NewString()
				x := b.start(call, c.o)
				caller := &voice{hz: 440}
				booth := b.room(map[string]*voice{"port": caller})
				x.Switch(booth.tap, "port")
				booth.run(c.talk)
				caller.hz = 0
				if c.do != nil {
					c.do(b, x, call)
				}
				booth.run(5 * time.Second)
				<-x.Stopped()
				if r := b.wantEnd(x.ID(), c.reason); (r.Length - c.length).Abs() > 300*time.Millisecond {
					t.Errorf("it has %v, want about %v", r.Length, c.length)
				}
				if b.desk.Active(call) != nil {
					t.Error("it is active still")
				}
				b.start(call, tape.Options{})
			})
		})
	}
}

// TestAfterADeath: what a process left open is brought to its end by the next, once.
func TestAfterADeath(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, store: memory.New()}
		b.open(folder)
		x := b.start(uuid.NewString(), tape.Options{Format: "ogg"})
		booth := b.room(map[string]*voice{"port": {hz: 440}})
		x.Switch(booth.tap, "port")
		booth.run(time.Second)
		b.desk.Close() // writes nothing any more
		b.archive.Close()
		b.wantLog("recording_started")
		for range 2 {
			b.open(folder)
			if err := b.desk.Recover(b.Context()); err != nil {
				t.Fatal(err)
			}
			if r := b.wantEnd(x.ID(), tape.ByCrash); r.Length < 800*time.Millisecond || r.Size == 0 || len(r.SHA256) != 64 {
				t.Errorf("recovered as %+v", r)
			}
			b.desk.Close()
			b.archive.Close()
		}
		b.wantLog("recording_started", "recording_updated", "recording_finished")
	})
}

func TestDelete(t *testing.T) {
	bubble(t, func(b *bench) {
		call := uuid.NewString()
		x := b.start(call, tape.Options{})
		wantReason(t, b.desk.Delete(b.Context(), x.ID()), "RECORDING_NOT_ENDED")
		if _, err := b.desk.Stop(b.Context(), call, tape.ByRequest); err != nil {
			t.Fatal(err)
		}
		b.wantEnd(x.ID(), tape.ByRequest)
		for range 2 {
			if err := b.desk.Delete(b.Context(), x.ID()); err != nil {
				t.Fatal(err)
			}
		}
		b.wantLog("recording_started", "recording_updated", "recording_finished", "recording_deleted")
		wantReason(t, b.desk.Delete(b.Context(), uuid.NewString()), "RECORDING_NOT_FOUND")
	})
}

func TestRefusals(t *testing.T) {
	bubble(t, func(b *bench) {
		for _, o := range []tape.Options{
			{Format: "mp3"}, {Duration: -time.Second}, {EndOfSilence: time.Millisecond}, {EndOfKey: "x"}, {OnEndFlowID: "x"}, {Notice: tape.Announce},
		} {
			_, err := b.desk.Start(b.Context(), calls.Request{CallID: uuid.NewString(), Options: o})
			wantReason(t, err, "INVALID_ARGUMENT")
		}
		b.wantLog()
	})
}

// TestEarsDoNotAllocate: the media loop shows a call to its recording without any.
func TestEarsDoNotAllocate(t *testing.T) {
	b := &bench{T: t, store: memory.New()}
	b.open(t.TempDir())
	defer b.archive.Close()
	defer b.desk.Close()
	x := b.start(uuid.NewString(), tape.Options{})
	booth := b.room(map[string]*voice{"port": {hz: 440}, "other": {hz: 700}})
	x.Switch(booth.tap, "port")
	booth.mix.Tick(0)
	if n := testing.AllocsPerRun(100, func() { booth.mix.Tick(0) }); n > 0 {
		t.Errorf("%v allocations in a tick", n)
	}
}

func wantReason(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || fault.ReasonOf(err) != want {
		t.Errorf("refused with %v (%s), want %s", err, fault.ReasonOf(err), want)
	}
}

func read(t *testing.T, doc []byte) (r tape.Recording) {
	t.Helper()
	if err := json.Unmarshal(doc, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
