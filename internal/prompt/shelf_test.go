package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/audio"
	"parley/internal/blob/dir"
	"parley/internal/fault"
	"parley/internal/prompt/loudness"
	"parley/internal/webhook/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const customer = "6a4cbd4e-5d3c-4d5c-9d7a-0f6a0e7f0c11"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func wav(dbov float64, millis int) []byte {
	samples := make([]int16, 16*millis)
	audio.NewTone(500, dbov, 16000, 0).Read(samples)
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, 16000, samples); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func open(t *testing.T, o Options) *Shelf {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Guard == nil {
		o.Guard = target.New(loopback)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is a server of sounds that counts what it is asked.
type site struct {
	*httptest.Server
	asked, unchanged atomic.Int32
	mu               sync.Mutex
	answer           http.HandlerFunc
}

func newSite(t *testing.T, answer http.HandlerFunc) *site {
	s := &site{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.Header.Get("If-None-Match") == `"one"` || r.Header.Get("If-Modified-Since") == "then" {
			s.unchanged.Add(1)
		}
		s.mu.Lock()
		f := s.answer
		s.mu.Unlock()
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) set(answer http.HandlerFunc) {
	s.mu.Lock()
	s.answer = answer
	s.mu.Unlock()
}

func give(data []byte, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		if tag := w.Header().Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(data)
	}
}

func TestFetch(t *testing.T) {
	web := newSite(t, give(wav(-40, 1000), "Content-Type", "text/html"))
	s := open(t, Options{})
	sound, err := s.Fetch(t.Context(), customer, web.URL+"/a.mp3")
	if err != nil {
		t.Fatal(err)
	}
	if sound.Rate != 16000 || len(sound.Samples) != 16000 {
		t.Errorf("%d samples at %d Hz", len(sound.Samples), sound.Rate)
	}
	if level := loudness.Active(sound.Samples, sound.Rate); level < -26.5 || level > -25.5 {
		t.Errorf("%.1f dBov", level)
	}
	again, err := s.Fetch(t.Context(), customer, web.URL+"/a.mp3")
	if err != nil || &again.Samples[0] != &sound.Samples[0] || web.asked.Load() != 1 {
		t.Errorf("asked %d times, %v", web.asked.Load(), err)
	}
	if _, err := s.Fetch(t.Context(), "other", web.URL+"/a.mp3"); err != nil || web.asked.Load() != 2 {
		t.Errorf("customers share what they fetch: %v", err)
	}
}

// TestRevalidation follows a sound through the times for which it is good.
func TestRevalidation(t *testing.T) {
	folder := t.TempDir()
	now := time.Now()
	web := newSite(t, give(wav(-26, 100), "ETag", `"one"`, "Cache-Control", "public, max-age=100"))
	var s *Shelf
	fetch := func(samples int, asked, unchanged int32) {
		t.Helper()
		sound, err := s.Fetch(t.Context(), customer, web.URL)
		if err != nil || len(sound.Samples) != samples || web.asked.Load() != asked || web.unchanged.Load() != unchanged {
			t.Errorf("%d samples, asked %d times, %d unchanged: %v", len(sound.Samples), web.asked.Load(), web.unchanged.Load(), err)
		}
	}
	restart := func() {
		s = open(t, Options{Dir: folder})
		s.now = func() time.Time { return now }
	}
	restart()
	fetch(1600, 1, 0)
	now = now.Add(99 * time.Second)
	fetch(1600, 1, 0)
	restart()
	fetch(1600, 1, 0) // from disk
	now = now.Add(2 * time.Second)
	fetch(1600, 2, 1) // 304
	now = now.Add(50 * time.Second)
	fetch(1600, 2, 1)
	restart()
	fetch(1600, 2, 1)
	now = now.Add(time.Hour)
	restart()
	fetch(1600, 3, 2)                                                          // 304, what is heard is on disk
	web.set(give(wav(-26, 200), "ETag", `"two"`, "Cache-Control", "no-cache")) // a change
	now = now.Add(time.Hour)
	fetch(3200, 4, 3)
	fetch(3200, 5, 3)
	web.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }) // trouble
	now = now.Add(20 * time.Hour)
	fetch(3200, 6, 3)
	now = now.Add(5 * time.Hour)
	if _, err := s.Fetch(t.Context(), customer, web.URL); fault.ReasonOf(err) != noAnswer {
		t.Errorf("a sound of yesterday: %v", err)
	}
	web.set(give(wav(-26, 300), "Cache-Control", "no-store"))
	fetch(4800, 8, 3)
	fetch(4800, 9, 3)
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("kept %v", left)
	}
}

// TestOneFlight says that many callers at once are one request, and that one of them who gives up does not harm the others.
func TestOneFlight(t *testing.T) {
	begun, release := make(chan struct{}, 10), make(chan struct{})
	web := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
		_, _ = w.Write(wav(-26, 100))
	})
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, customer, web.URL)
		first <- err
	}()
	<-begun
	results := make(chan error, 20)
	for range cap(results) {
		go func() {
			_, err := s.Fetch(t.Context(), customer, web.URL)
			results <- err
		}()
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	<-begun
	close(release)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := web.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestRedirects(t *testing.T) {
	var web *site
	web = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/name":
			http.Redirect(w, r, strings.Replace(web.URL, "127.0.0.1", "[::1]", 1), http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/sound", http.StatusMovedPermanently)
		default:
			_, _ = w.Write(wav(-26, 100))
		}
	})
	s := open(t, Options{})
	for path, reason := range map[string]string{"/inside": refused, "/name": refused, "/file": refused, "/round": noAnswer, "/once": ""} {
		_, err := s.Fetch(t.Context(), customer, web.URL+path)
		if reason == "" && err != nil || reason != "" && fault.ReasonOf(err) != reason {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(wav(-26, 100)[:44])
		for block := make([]byte, 1<<16); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		reason string
	}{
		"endless": {endless, "PROMPT_TOO_LARGE"},
		"large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000000")
			w.WriteHeader(200)
		}, "PROMPT_TOO_LARGE"},
		"long":       {give(wav(-26, 11000)), "PROMPT_TOO_LARGE"},
		"a page":     {give([]byte("<html>sign in</html>"), "Content-Type", "audio/wav"), "PROMPT_UNREADABLE"},
		"empty":      {give(nil), "PROMPT_UNREADABLE"},
		"compressed": {give(wav(-26, 100), "Content-Encoding", "gzip"), "PROMPT_UNREADABLE"},
		"not there":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, noAnswer},
		"no answer":  {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, noAnswer},
		"unchanged":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, noAnswer},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write(wav(-26, 10))
		}, noAnswer},
		"drips":       {drip, noAnswer},
		"nothing new": {give(wav(-26, 100)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			web := newSite(t, c.answer)
			s := open(t, Options{MaxSize: 1 << 20, Longest: 10 * time.Second, Timeout: time.Second})
			_, err := s.Fetch(t.Context(), customer, web.URL+"/?token=secret")
			if c.reason == "" && err != nil || c.reason != "" && fault.ReasonOf(err) != c.reason {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the message tells the query: %v", err)
			}
		})
	}
}

// drip sends a byte now and then, for ever.
func drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = w.Write([]byte{0})
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// TestTargets says that what is not public is not called, whatever its name.
func TestTargets(t *testing.T) {
	web := newSite(t, give(wav(-26, 100)))
	s := open(t, Options{Guard: target.New(nil)})
	_, port, _ := strings.Cut(strings.TrimPrefix(web.URL, "http://"), ":")
	for _, u := range []string{
		web.URL, "http://localhost:" + port, "http://[::1]:" + port, "http://0:" + port, "http://2130706433:" + port, "ftp://example.com/a.wav", "file:///etc/passwd",
		"/etc/passwd", "", "http://", "http://user:pw@example.com/", "data:audio/wav;base64,UklGRg==",
	} {
		if _, err := s.Fetch(t.Context(), customer, u); fault.ReasonOf(err) != refused {
			t.Errorf("%s: %v", u, err)
		}
	}
	if web.asked.Load() != 0 {
		t.Error("the server was called")
	}
}

func TestBlob(t *testing.T) {
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string, data []byte) {
		t.Helper()
		if _, err := store.Put(t.Context(), key, bytes.NewReader(data), -1); err != nil {
			t.Fatal(err)
		}
	}
	put(Key(customer, "hold/music.wav"), wav(-26, 100))
	put(Key("other", "secret.wav"), wav(-26, 100))
	put("recordings/x.wav", wav(-26, 100))
	put(Key(customer, "large.wav"), make([]byte, 1<<20+1))
	s := open(t, Options{Blobs: store, MaxSize: 1 << 20})
	first, err := s.Fetch(t.Context(), customer, "blob:hold/music.wav")
	if err != nil || len(first.Samples) != 1600 {
		t.Fatal(len(first.Samples), err)
	}
	if again, err := s.Fetch(t.Context(), customer, "blob:hold/music.wav"); err != nil || &again.Samples[0] != &first.Samples[0] {
		t.Errorf("it was decoded again: %v", err)
	}
	put(Key(customer, "hold/music.wav"), wav(-26, 200))
	if changed, err := s.Fetch(t.Context(), customer, "blob:hold/music.wav"); err != nil || len(changed.Samples) != 3200 {
		t.Errorf("a change is not heard: %d, %v", len(changed.Samples), err)
	}
	for name, reason := range map[string]string{
		"nothing.wav": noAnswer, "../other/secret.wav": refused, "": refused, "/etc/passwd": refused, "../../recordings/x.wav": refused, "large.wav": "PROMPT_TOO_LARGE",
		"hold": noAnswer,
	} {
		if _, err := s.Fetch(t.Context(), customer, "blob:"+name); fault.ReasonOf(err) != reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, who := range []string{"", "..", customer + "/hold"} {
		if _, err := s.Fetch(t.Context(), who, "blob:music.wav"); fault.ReasonOf(err) != refused {
			t.Errorf("%q: %v", who, err)
		}
	}
	if _, err := open(t, Options{}).Fetch(t.Context(), customer, "blob:a"); fault.ReasonOf(err) != refused {
		t.Errorf("without a store: %v", err)
	}
}

// TestDisk says that what is kept stays within its size, goes by last use, and that damage is mended.
func TestDisk(t *testing.T) {
	folder := t.TempDir()
	web := newSite(t, give(wav(-26, 1000))) // 32 kB
	s := open(t, Options{Dir: folder, Disk: 100_000, Memory: 1})
	fetch := func(n int, asked int32) {
		t.Helper()
		if _, err := s.Fetch(t.Context(), customer, fmt.Sprint(web.URL, "/", n)); err != nil || web.asked.Load() != asked {
			t.Errorf("asked %d times, want %d: %v", web.asked.Load(), asked, err)
		}
	}
	fetch(1, 1)
	fetch(2, 2)
	fetch(3, 3)
	fetch(1, 3)
	fetch(4, 4) // for which 2 has to go
	fetch(1, 4)
	fetch(2, 5)
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		if err := os.Truncate(f, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, temporary+"1"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: folder, Disk: 100_000})
	fetch(1, 6)
	fetch(1, 6)
	if _, err := os.Stat(filepath.Join(folder, temporary+"1")); err == nil {
		t.Error("what a crash left behind is still there")
	}
	if _, err := Open(Options{Dir: filepath.Join(files[0], "x"), Guard: target.New(nil)}); err == nil {
		t.Error("a folder that cannot be made is no error")
	}
}

func TestSay(t *testing.T) {
	if _, err := exec.LookPath("flite"); err != nil {
		t.Skip("there is no flite")
	}
	folder := t.TempDir()
	s := open(t, Options{Dir: folder})
	speech := Speech{Text: "<speak>Welcome to the conference.<break time='1s'/>You are the first.</speak>", Language: "en-US"}
	first, err := s.Say(t.Context(), speech)
	if err != nil {
		t.Fatal(err)
	}
	if level := loudness.Active(first.Samples, first.Rate); level < -26.6 || level > -25.4 || len(first.Samples) < 3*first.Rate {
		t.Errorf("%d samples with %.1f dBov", len(first.Samples), level)
	}
	t.Setenv("PATH", t.TempDir()) // it is not said twice
	if again, err := s.Say(t.Context(), speech); err != nil || &again.Samples[0] != &first.Samples[0] {
		t.Errorf("said again: %v", err)
	}
	t.Setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
	s = open(t, Options{Dir: folder})
	if kept, err := s.Say(t.Context(), speech); err != nil || len(kept.Samples) != len(first.Samples) || kept.Samples[9000] != first.Samples[9000] {
		t.Errorf("from disk: %v", err)
	}
	for reason, speech := range map[string]Speech{
		"TEXT_INVALID": {Text: " "}, "VOICE_UNAVAILABLE": {Text: "a", Provider: "aws"},
	} {
		if _, err := s.Say(t.Context(), speech); fault.ReasonOf(err) != reason {
			t.Errorf("%v: %v", speech, err)
		}
	}
}

func TestTone(t *testing.T) {
	s := open(t, Options{})
	for _, name := range []string{"beep", "join", "leave", "locked", "refused", "music", "ringback", "busy"} {
		if sound, err := s.Tone(name); err != nil || len(sound.Samples) == 0 || sound.Rate == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Tone("none"); fault.ReasonOf(err) != "TONE_UNKNOWN" {
		t.Error(err)
	}
}

var _ Library = (*Shelf)(nil)
