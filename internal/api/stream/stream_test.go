package stream_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley/internal/api/rest"
	"parley/internal/api/stream"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const mine, other = "6f0a1b2c-dead-4000-8000-0123456789ab", "6f0a1b2c-dead-4000-8000-0123456789ac"

// world is a server with streams into one room, whose time is the test's.
type world struct {
	t       *testing.T
	id      string
	streams *stream.Streams
	store   store.Store
	url     string

	mu   sync.Mutex
	room *mixer.Room
	end  context.CancelCauseFunc // of the conference
	life context.Context
	in   int // attached
}

// Attach implements stream.Rooms.
func (w *world) Attach(_ context.Context, _ conference.ID, t mixer.Tap, s mixer.Sound) (context.Context, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.life.Err() != nil {
		return nil, nil, context.Cause(w.life)
	}
	if err := w.room.AddPlayer(s, nil); err != nil {
		return nil, nil, err
	}
	w.room.AddTap(t)
	w.in++
	return w.life, sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.room.RemoveTap(t)
		w.room.RemovePlayer(s)
		w.in--
	}), nil
}

// calls is the same for a call, which is a port in the room.
type calls struct{ w *world }

func (c calls) Attach(ctx context.Context, id string, tap func(string) mixer.Tap, s mixer.Sound) (context.Context, func(), error) {
	return c.w.Attach(ctx, conference.ID(id), tap("caller"), s)
}

func (w *world) tick(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.room.Tick(0)
	}
}

func (w *world) attached() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in
}

func open(t *testing.T, o stream.Options) *world {
	t.Helper()
	leak := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leak) })
	w := &world{t: t, id: uuid.NewString(), room: mixer.New()}
	w.life, w.end = context.WithCancelCause(context.Background())
	o.Rooms, o.Calls, o.Log = w, calls{w}, slog.New(slog.DiscardHandler)
	st := memory.New()
	o.Store = st
	w.store, w.streams = st, stream.New(o)
	for _, kind := range []store.Kind{store.Conference, store.Call} {
		change := &store.Change{
			Key:     string(kind),
			Records: []store.Record{{Kind: kind, ID: w.id, CustomerID: mine, Live: true, Created: time.Now(), Doc: json.RawMessage("{}")}},
			Events:  []store.Event{{ID: uuid.NewString(), Type: "x", At: time.Now(), Data: json.RawMessage("{}")}},
		}
		if err := st.Append(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	guard := rest.Guard{Store: st, Timeout: time.Minute, Log: o.Log, Authenticate: func(_ context.Context, key string) (rest.Caller, error) {
		return rest.Caller{CustomerID: key, KeyID: key}, nil
	}}
	mux := http.NewServeMux()
	for _, r := range w.streams.Routes() {
		mux.HandleFunc(r.Method+" "+r.Path, guard.Wrap(r))
	}
	server := httptest.NewServer(mux)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.streams.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		server.Close()
		if n := w.attached(); n != 0 {
			t.Errorf("%d are still attached", n)
		}
	})
	w.url = server.URL
	return w
}

// dial opens a stream of the conference.
func (w *world) dial(query string) *websocket.Conn {
	w.t.Helper()
	return w.dialAt("/conferences/" + w.id + "/media_stream?accesskey=" + mine + "&" + query)
}

func (w *world) dialAt(path string) *websocket.Conn {
	w.t.Helper()
	c, res, err := websocket.Dial(w.t.Context(), w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.Body != nil {
		res.Body.Close()
	}
	c.SetReadLimit(1 << 20)
	w.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// tone plays 400 Hz to everybody for ever.
func (w *world) tone(rate int) {
	w.t.Helper()
	samples := make([]int16, rate/10)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*400*float64(i)/float64(rate)))
	}
	clip, err := mixer.NewClip(samples, rate, true)
	if err == nil {
		err = w.room.AddPlayer(clip, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// packet is what came in a frame.
type packet struct {
	pcm       []int16
	sequence  uint16
	timestamp uint32
	marker    bool
}

func (w *world) receive(c *websocket.Conn, form string, rate int) (p packet, err error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	kind, b, err := c.Read(ctx)
	if err != nil {
		return p, err
	}
	if kind != websocket.MessageBinary {
		return p, fmt.Errorf("a frame of kind %v", kind)
	}
	switch form {
	case "rtp":
		if len(b) < 12 || b[0] != 0x80 || b[1]&0x7f != 96 {
			return p, fmt.Errorf("no RTP header: % x", b[:min(12, len(b))])
		}
		p.marker = b[1]&0x80 != 0
		p.sequence, p.timestamp, b = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), b[12:]
	case "audiosocket":
		if b[0] != map[int]byte{8000: 0x10, 16000: 0x12, 48000: 0x16}[rate] || int(binary.BigEndian.Uint16(b[1:])) != len(b)-3 {
			return p, fmt.Errorf("audiosocket header % x", b[:3])
		}
		b = b[3:]
	}
	if len(b) != rate/50*2 {
		return p, fmt.Errorf("%d bytes of audio", len(b))
	}
	for ; len(b) > 0; b = b[2:] {
		p.pcm = append(p.pcm, int16(binary.LittleEndian.Uint16(b)))
	}
	return p, nil
}

// level returns the amplitude of a tone.
func level(pcm []int16, hz float64, rate int) float64 {
	var re, im float64
	for i, v := range pcm {
		re += float64(v) * math.Cos(2*math.Pi*hz*float64(i)/float64(rate))
		im += float64(v) * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return 2 * math.Hypot(re, im) / float64(max(1, len(pcm)))
}

func TestEveryFormAndRate(t *testing.T) {
	for _, form := range []string{"rtp", "sln", "audiosocket"} {
		for _, rate := range []int{8000, 16000, 48000} {
			t.Run(fmt.Sprint(form, rate), func(t *testing.T) {
				w := open(t, stream.Options{})
				c := w.dial(fmt.Sprintf("encapsulation=%s&rate=%d", form, rate))
				w.tone(8000)
				w.tick(30)
				var heard []int16
				var last packet
				for i := range 30 {
					p, err := w.receive(c, form, rate)
					if err != nil {
						t.Fatal(err)
					}
					if form == "rtp" && i > 0 && (p.sequence != last.sequence+1 || p.timestamp != last.timestamp+uint32(rate/50) || p.marker) {
						t.Fatalf("after %d/%d came %d/%d", last.sequence, last.timestamp, p.sequence, p.timestamp)
					}
					heard, last = append(heard, p.pcm...), p
				}
				if got := level(heard[rate/10:], 400, rate); math.Abs(got-8000) > 300 {
					t.Errorf("heard the tone at %.0f", got)
				}
			})
		}
	}
}

func TestSilenceTakesTime(t *testing.T) {
	w := open(t, stream.Options{})
	c := w.dial("encapsulation=rtp")
	next := func() packet {
		t.Helper()
		p, err := w.receive(c, "rtp", 8000)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	w.tick(1)
	first := next()
	if !first.marker {
		t.Error("the first packet is not marked")
	}
	w.tick(10) // nobody speaks
	for i := range 10 {
		p := next()
		if p.sequence != first.sequence+uint16(i+1) || p.timestamp != first.timestamp+uint32(i+1)*160 || slices.Max(p.pcm) != 0 {
			t.Fatalf("packet %d: %d/%d after %d/%d", i, p.sequence, p.timestamp, first.sequence, first.timestamp)
		}
	}
	w.mu.Lock()
	w.room.Skip(5) // ticks that the media loop has given up
	w.mu.Unlock()
	w.tone(8000)
	w.tick(1)
	if p := next(); p.sequence != first.sequence+11 || p.timestamp != first.timestamp+16*160 || level(p.pcm[80:], 400, 8000) < 7000 {
		t.Errorf("after 5 lost ticks: %d/%d after %d/%d", p.sequence, p.timestamp, first.sequence, first.timestamp)
	}
}

// TestSoundComesIn: what a client sends is heard by all, whatever sizes it has.
func TestSoundComesIn(t *testing.T) {
	for _, form := range []string{"rtp", "sln", "audiosocket"} {
		for _, rate := range []int{8000, 16000, 48000} {
			t.Run(fmt.Sprint(form, rate), func(t *testing.T) {
				w := open(t, stream.Options{})
				c := w.dial(fmt.Sprintf("encapsulation=%s&rate=%d", form, rate))
				ring := mixer.NewRing("")
				w.mu.Lock()
				w.room.AddTap(ring)
				w.mu.Unlock()
				tone := make([]byte, rate) // half a second
				for i := range rate / 2 {
					binary.LittleEndian.PutUint16(tone[2*i:], uint16(int16(8000*math.Sin(2*math.Pi*400*float64(i)/float64(rate)))))
				}
				for n := 2; len(tone) > 0; n = (n*3 + 2) % 3000 { // odd sizes, even bytes
					part := tone[:min(n, len(tone))]
					tone = tone[len(part):]
					if err := c.Write(t.Context(), websocket.MessageBinary, packed(form, rate, part)); err != nil {
						t.Fatal(err)
					}
				}
				for w.streams.Stats().Waiting < time.Second/2 {
					time.Sleep(time.Millisecond)
				}
				w.tick(32)
				var heard []int16
				frame := make([]int16, 960)
				for f, ok := ring.Next(frame); ok; f, ok = ring.Next(frame) {
					heard = append(heard, f.Samples...)
				}
				if len(heard) < 4000 || len(heard) > 4400 || math.Abs(level(heard[:4000], 400, 8000)-8000) > 400 {
					t.Errorf("heard %d samples, the tone at %.0f", len(heard), level(heard, 400, 8000))
				}
			})
		}
	}
}

// TestNobodyHearsItself: a stream hears what the others do, another stream both.
func TestNobodyHearsItself(t *testing.T) {
	w := open(t, stream.Options{})
	one, two := w.dial("encapsulation=sln"), w.dial("encapsulation=sln")
	w.tone(8000) // 400 Hz
	loud := make([]byte, 16000)
	for i := range 8000 {
		binary.LittleEndian.PutUint16(loud[2*i:], uint16(int16(30000*math.Sin(2*math.Pi*1000*float64(i)/8000)))) // the limiter has to work
	}
	if err := one.Write(t.Context(), websocket.MessageBinary, loud); err != nil {
		t.Fatal(err)
	}
	read := func(c *websocket.Conn) (pcm []int16) {
		t.Helper()
		for range 30 {
			p, err := w.receive(c, "sln", 8000)
			if err != nil {
				t.Fatal(err)
			}
			pcm = append(pcm, p.pcm...)
		}
		return pcm[1600:]
	}
	for w.streams.Stats().Waiting < time.Second/2 {
		time.Sleep(time.Millisecond)
	}
	w.tick(30)
	if pcm := read(one); math.Abs(level(pcm, 400, 8000)-8000) > 300 || level(pcm, 1000, 8000) > 30 {
		t.Errorf("who speaks hears the other at %.0f, itself at %.0f", level(pcm, 400, 8000), level(pcm, 1000, 8000))
	}
	if pcm := read(two); level(pcm, 400, 8000) < 5000 || level(pcm, 1000, 8000) < 15000 {
		t.Errorf("the other hears %.0f and %.0f", level(pcm, 400, 8000), level(pcm, 1000, 8000))
	}
}

func packed(form string, rate int, pcm []byte) []byte {
	switch form {
	case "rtp": // with a contributing source, an extension and padding
		head := []byte{0xb1, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0xbe, 0xde, 0, 1, 1, 2, 3, 4}
		return append(append(head, pcm...), 0, 0, 3)
	case "audiosocket":
		kind := map[int]byte{8000: 0x10, 16000: 0x12, 48000: 0x16}[rate]
		id := append([]byte{0x01, 0, 16}, make([]byte, 16)...)
		return append(append(id, kind, byte(len(pcm)>>8), byte(len(pcm))), pcm...)
	}
	return pcm
}

func TestBadFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		form, frame string
		code        websocket.StatusCode
	}{
		"half a sample":       {"sln", "abc", websocket.StatusInvalidFramePayloadData},
		"huge":                {"sln", strings.Repeat("x", 65<<10), websocket.StatusMessageTooBig},
		"no RTP":              {"rtp", "short", websocket.StatusInvalidFramePayloadData},
		"RTP version 1":       {"rtp", "\x40" + strings.Repeat("\x00", 20), websocket.StatusInvalidFramePayloadData},
		"RTP sources":         {"rtp", "\x8f" + strings.Repeat("\x00", 20), websocket.StatusInvalidFramePayloadData},
		"RTP extension":       {"rtp", "\x90" + strings.Repeat("\x00", 11), websocket.StatusInvalidFramePayloadData},
		"RTP long extension":  {"rtp", "\x90" + strings.Repeat("\x00", 13) + "\xff\xff", websocket.StatusInvalidFramePayloadData},
		"RTP padding 0":       {"rtp", "\xa0" + strings.Repeat("\x00", 20), websocket.StatusInvalidFramePayloadData},
		"RTP padding":         {"rtp", "\xa0" + strings.Repeat("\x00", 11) + "\xff", websocket.StatusInvalidFramePayloadData},
		"RTP odd":             {"rtp", "\x80" + strings.Repeat("\x00", 12), websocket.StatusInvalidFramePayloadData},
		"audiosocket cut":     {"audiosocket", "\x10\x00\x04ab", websocket.StatusInvalidFramePayloadData},
		"audiosocket short":   {"audiosocket", "\x10", websocket.StatusInvalidFramePayloadData},
		"audiosocket odd":     {"audiosocket", "\x10\x00\x03abc", websocket.StatusInvalidFramePayloadData},
		"audiosocket rate":    {"audiosocket", "\x12\x00\x02ab", websocket.StatusInvalidFramePayloadData},
		"audiosocket kind":    {"audiosocket", "\x77\x00\x00", websocket.StatusInvalidFramePayloadData},
		"audiosocket hang-up": {"audiosocket", "\x00\x00\x00", websocket.StatusNormalClosure},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stream.Options{})
			c := w.dial("encapsulation=" + tt.form)
			if err := c.Write(t.Context(), websocket.MessageText, []byte("{")); err != nil { // ignored
				t.Fatal(err)
			}
			if err := c.Write(t.Context(), websocket.MessageBinary, []byte(tt.frame)); err != nil {
				t.Fatal(err)
			}
			wantClose(t, c, tt.code, "")
		})
	}
}

// wantClose reads until the server closes.
func wantClose(t *testing.T, c *websocket.Conn, code websocket.StatusCode, reason string) (frames int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != code || closed.Reason == "" || !strings.Contains(closed.Reason, reason) {
				t.Errorf("closed with %v, want %v %s", err, code, reason)
			}
			return frames
		}
		frames++
	}
}

func TestSlowReader(t *testing.T) {
	w := open(t, stream.Options{Beat: 20 * time.Millisecond, Patience: 200 * time.Millisecond})
	c := w.dial("encapsulation=sln") // and reads nothing, so that it answers no ping
	w.tick(40)
	for w.streams.Stats().Slow == 0 {
		w.tick(1)
		time.Sleep(5 * time.Millisecond)
	}
	if frames := wantClose(t, c, websocket.StatusPolicyViolation, "too slow"); frames < 40 {
		t.Errorf("%d frames were under way", frames)
	}
}

// TestStalledWriter: frames that find no room are lost, which the time stamps tell. It is the server that sends them in a burst, so that the client, which
// takes what comes, is not too slow, however many they are.
func TestStalledWriter(t *testing.T) {
	w := open(t, stream.Options{})
	c := w.dial("encapsulation=rtp")
	w.tick(75) // a ring holds 50
	var last packet
	for i := range 50 {
		p, err := w.receive(c, "rtp", 8000)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && p.timestamp != last.timestamp+160 {
			t.Fatalf("packet %d is %d after %d", i, p.timestamp, last.timestamp)
		}
		last = p
	}
	w.tick(1)
	for {
		p, err := w.receive(c, "rtp", 8000)
		if err != nil {
			t.Fatal(err)
		}
		if p.sequence != last.sequence+1 {
			t.Fatalf("packet %d after %d", p.sequence, last.sequence)
		}
		if p.marker {
			if step := p.timestamp - last.timestamp; step%160 != 0 || step < 320 || step > 26*160 {
				t.Errorf("after the loss the time went on by %d", step)
			}
			break
		}
		last = p
	}
	if s := w.streams.Stats(); s.Lost == 0 || s.Lost > 25 || s.Open != 1 || s.Sent < 50 {
		t.Errorf("%+v", s)
	}
	w.tick(200)
	for range 20 {
		if _, err := w.receive(c, "rtp", 8000); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		w.tick(1)
		if _, err := w.receive(c, "rtp", 8000); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.streams.Stats(); s.Lost < 50 || s.Slow != 0 || s.Open != 1 {
		t.Errorf("%+v", s)
	}
}

// TestClientTakesTooLittle reads ten frames of the fifty that a second has.
func TestClientTakesTooLittle(t *testing.T) {
	w := open(t, stream.Options{Beat: time.Hour})
	narrow := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, to)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(16384)
		}
		return c, err
	}}}
	c, _, err := websocket.Dial(t.Context(), w.url+"/conferences/"+w.id+"/media_stream?accesskey="+mine+"&encapsulation=sln&rate=48000",
		&websocket.DialOptions{HTTPClient: narrow})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	ticking, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ticking.Err() == nil {
			w.tick(1)
			time.Sleep(time.Millisecond)
		}
	})
	defer func() { stop(); all.Wait() }()
	for begin := time.Now(); w.streams.Stats().Slow == 0; time.Sleep(100 * time.Millisecond) {
		if _, err := w.receive(c, "sln", 48000); err != nil || time.Since(begin) > 60*time.Second {
			t.Fatalf("it is served for ever: %+v %v", w.streams.Stats(), err)
		}
	}
}

func TestTheEnd(t *testing.T) {
	w := open(t, stream.Options{})
	c := w.dial("encapsulation=sln")
	w.end(fault.New(fault.Conflict, "CONFERENCE_ENDED", "the conference has ended"))
	wantClose(t, c, websocket.StatusNormalClosure, "the conference has ended")
	_, res, err := websocket.Dial(t.Context(), w.url+"/conferences/"+w.id+"/media_stream?encapsulation=sln&accesskey="+mine, nil)
	if err == nil || res.StatusCode != http.StatusConflict {
		t.Errorf("after the end: %v", err)
	}
}

// TestFarewellMeetsBeat ends streams that are always about to ask for a sign of life: each client is told why all the same.
func TestFarewellMeetsBeat(t *testing.T) {
	for range 200 {
		w := open(t, stream.Options{Beat: 10 * time.Microsecond})
		c := w.dial("encapsulation=sln")
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() {
			w.end(fault.New(fault.Conflict, "CONFERENCE_ENDED", "the conference has ended"))
		})
		wantClose(t, c, websocket.StatusNormalClosure, "the conference has ended")
	}
}

func TestKeyIsDeleted(t *testing.T) {
	w := open(t, stream.Options{Beat: 20 * time.Millisecond})
	c := w.dial("encapsulation=sln")
	change := &store.Change{
		Key:     "accesskey",
		Records: []store.Record{{Kind: store.Accesskey, ID: mine, CustomerID: mine, Created: time.Now(), Deleted: true, Doc: json.RawMessage("{}")}},
		Events:  []store.Event{{ID: uuid.NewString(), Type: "x", At: time.Now(), Data: json.RawMessage("{}")}},
	}
	if err := w.store.Append(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	wantClose(t, c, websocket.StatusPolicyViolation, "access key")
}

func TestClientCloses(t *testing.T) {
	w := open(t, stream.Options{})
	c := w.dial("encapsulation=sln")
	w.tick(3)
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Error(err)
	}
	d := w.dial("encapsulation=sln")
	_ = d.CloseNow() // without a word
}

func TestServerStops(t *testing.T) {
	var c *websocket.Conn
	var w *world
	t.Run("server", func(t *testing.T) {
		w = open(t, stream.Options{})
		c = w.dial("encapsulation=sln")
		t.Cleanup(func() { // before the connection is closed, after Run has been told to end
		})
		go func() { w.end(fault.New(fault.Unavailable, "STOPPING", "the server is stopping")) }()
		wantClose(t, c, websocket.StatusGoingAway, "stopping")
	})
}

func TestRefusals(t *testing.T) {
	w := open(t, stream.Options{PerKey: 2})
	path := "/conferences/" + w.id + "/media_stream?accesskey=" + mine + "&"
	for name, tt := range map[string]struct {
		path   string
		status int
		reason string
	}{
		"no form":      {path, 400, "MISSING_REQUEST_PARAMETER"},
		"unknown form": {path + "encapsulation=mediasocket", 400, "INVALID_REQUEST_PARAMETER"},
		"rate":         {path + "encapsulation=sln&rate=44100", 400, "INVALID_REQUEST_PARAMETER"},
		"rate no int":  {path + "encapsulation=sln&rate=8k", 400, "INVALID_REQUEST_PARAMETER"},
		"rate huge":    {path + "encapsulation=sln&rate=4294975296", 400, "INVALID_REQUEST_PARAMETER"},
		"queue":        {path + "encapsulation=sln&queue_ms=31000", 400, "INVALID_REQUEST_PARAMETER"},
		"foreign":      {strings.Replace(path, mine, other, 1) + "encapsulation=sln", 404, "CONFERENCE_NOT_FOUND"},
		"unknown":      {"/conferences/" + other + "/media_stream?encapsulation=sln&accesskey=" + mine, 404, "CONFERENCE_NOT_FOUND"},
		"no id":        {"/conferences/x/media_stream?encapsulation=sln&accesskey=" + mine, 400, "INVALID_ID"},
		"no key":       {"/conferences/" + w.id + "/media_stream?encapsulation=sln", 401, "AUTHENTICATION_REQUIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+tt.path, nil)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			wantRefusal(t, r, tt.status, tt.reason)
		})
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+path+"encapsulation=sln", nil)
	wantRefusal(t, r, 400, "UPGRADE_REQUIRED")

	w.dial("encapsulation=sln")
	c := w.dial("encapsulation=sln")
	r.Header.Set("Upgrade", "websocket")
	wantRefusal(t, r, 429, "STREAM_LIMIT_EXCEEDED")
	_ = c.Close(websocket.StatusNormalClosure, "")
	for w.streams.Stats().Open > 1 {
		time.Sleep(time.Millisecond)
	}
	w.dial("encapsulation=sln")
}

func wantRefusal(t *testing.T, r *http.Request, status int, reason string) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	var p struct{ Error struct{ Reason string } }
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != status || p.Error.Reason != reason {
		t.Errorf("%d %s (%v), want %d %s", res.StatusCode, p.Error.Reason, err, status, reason)
	}
}

// TestOtherSites: a page of another site has the cookie and must not listen.
func TestOtherSites(t *testing.T) {
	w := open(t, stream.Options{})
	for origin, want := range map[string]bool{"https://evil.example": false, w.url: true} {
		header := http.Header{"Cookie": {"accesskey=" + mine}, "Origin": {origin}}
		c, res, err := websocket.Dial(t.Context(), w.url+"/conferences/"+w.id+"/media_stream?encapsulation=sln", &websocket.DialOptions{HTTPHeader: header})
		if (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
		if err == nil {
			_ = c.CloseNow()
		} else if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", origin, res.StatusCode)
		}
	}
}
