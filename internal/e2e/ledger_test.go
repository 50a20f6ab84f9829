package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const ledgerSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// ledgerSize says how long the test of the ledger is: PARLEY_TEST_LEDGER events (long form: 10000, with 20 kills on each side).
func ledgerSize() (events, kills int) {
	if n, err := strconv.Atoi(os.Getenv("PARLEY_TEST_LEDGER")); err == nil {
		return n, max(3, n/500)
	}
	return 600, 3
}

// TestLedger says that every event arrives: a receiver that refuses half of the time is killed again and again, and so is the server, both with
// SIGKILL; what the receiver has kept, each event once, is the log, in the order of each conference.
func TestLedger(t *testing.T) {
	events, kills := ledgerSize()
	file, config := filepath.Join(t.TempDir(), "ledger"), filepath.Join(t.TempDir(), "parley.yaml")
	waits := "0s" + strings.Repeat(",20ms", 2000)
	write(t, config, "webhooks:\n  schedule: ["+waits+"]\n  workers: 32\napi:\n  rate_per_customer: 0\n  rate_per_address: 0\n")
	s := start(t, "--config", config)
	r := newReceiver(t, file)
	s.must("POST", "/webhooks", object{"uri": "http://" + r.addr + "/", "events": []string{"conference_*"}, "secret": ledgerSecret})
	first := int64(s.must("GET", "/events?limit=1000", nil)["next_after"].(float64))

	var rooms []string
	for range 40 {
		rooms = append(rooms, s.conference(nil))
	}
	var up sync.RWMutex // held for writing while there is no server
	var written atomic.Int64
	written.Store(int64(2 * len(rooms)))
	stop := make(chan struct{})
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() { writer(s, rooms[n*len(rooms)/8:(n+1)*len(rooms)/8], &up, &written, int64(events), stop) })
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for k := range kills {
		waitFor(t, 5*time.Minute, func() bool { return written.Load() >= int64(events*(k+1)/(kills+1)) })
		r.kill()
		<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
		r.start()
		<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
		s.kill()
		up.Lock()
		s.start()
		up.Unlock()
	}
	waitFor(t, 5*time.Minute, func() bool { return written.Load() >= int64(events) })
	close(stop)
	group.Wait()

	log := s.logAfter(first)
	if len(log) < events {
		t.Fatalf("the log has %d events only", len(log))
	}
	var got []entry
	for end := time.Now().Add(3 * time.Minute); len(got) < len(log) && time.Now().Before(end); got = ledger(t, file) {
		<-time.After(200 * time.Millisecond)
	}
	compare(t, log, got)
	t.Logf("%d events, %d requests taken, %d kills of each side", len(log), len(lines(t, file)), kills)
}

// entry is what is compared of an event.
type entry struct {
	Seq        int64  `json:"seq"`
	ID         string `json:"id"`
	Conference string `json:"conference_id"`
}

// compare fails unless the ledger is the log, in the order of each conference.
func compare(t *testing.T, log, got []entry) {
	t.Helper()
	byRoom := func(list []entry) map[string][]entry {
		m := map[string][]entry{}
		for _, e := range list {
			m[e.Conference] = append(m[e.Conference], e)
		}
		return m
	}
	want, have := byRoom(log), byRoom(got)
	if len(got) != len(log) || len(have) != len(want) {
		t.Errorf("the ledger has %d events of %d conferences, the log %d of %d", len(got), len(have), len(log), len(want))
	}
	for room, list := range want {
		if !slices.Equal(have[room], list) {
			t.Errorf("conference %s: the ledger has %d events, the log %d, or their order differs", room, len(have[room]), len(list))
		}
	}
}

// writer changes conferences in turn until there are enough events. A change whose answer is lost may have happened: the log knows.
func writer(s *server, rooms []string, up *sync.RWMutex, written *atomic.Int64, events int64, stop <-chan struct{}) {
	for n := 0; written.Load() < events; n++ {
		select {
		case <-stop:
			return
		default:
		}
		up.RLock()
		client := s.client
		up.RUnlock()
		status, _, err := s.requestBy(client, "PUT", "/conferences/"+rooms[n%len(rooms)], object{"name": fmt.Sprint("name ", n, time.Now().UnixNano())})
		if err != nil {
			<-time.After(50 * time.Millisecond)
		} else if status == 200 {
			written.Add(1)
		}
	}
}

func waitFor(t *testing.T, most time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !done(); {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
		<-time.After(20 * time.Millisecond)
	}
}

// logAfter returns the conferences' entries after a place.
func (s *server) logAfter(after int64) (list []entry) {
	s.t.Helper()
	for {
		page := s.must("GET", fmt.Sprintf("/events?type=conference_*&limit=1000&after=%d", after), nil)
		rows := page["result"].([]any)
		for _, x := range rows {
			e := x.(object)
			list = append(list, entry{int64(e["seq"].(float64)), e["id"].(string), e["conference_id"].(string)})
		}
		if after = int64(page["next_after"].(float64)); len(rows) == 0 {
			return list
		}
	}
}

// receiver is a process that keeps what it takes in a file. It refuses every second request or so.
type receiver struct {
	t          *testing.T
	addr, file string
	cmd        *exec.Cmd
}

func newReceiver(t *testing.T, file string) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, addr: l.Addr().String(), file: file}
	l.Close()
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *receiver) start() {
	r.t.Helper()
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Env = append(os.Environ(), "PARLEY_TEST_RECEIVER="+r.addr, "PARLEY_TEST_FILE="+r.file)
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if text, _ := bufio.NewReader(out).ReadString('\n'); text != "ready\n" {
		r.t.Fatalf("the receiver says %q", text)
	}
}

func (r *receiver) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// receive is the receiver's process. What it answers with 200 is on the disk.
func receive(addr string) int {
	file, err := os.OpenFile(os.Getenv("PARLEY_TEST_FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	verify, err := standardwebhooks.NewWebhook(ledgerSecret)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if err := verify.Verify(body, r.Header); err != nil {
			fmt.Fprintln(os.Stderr, "signature:", err)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		switch rand.IntN(8) {
		case 0, 1, 2:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case 3: // taken, but the answer is lost: it comes again
			_, _ = file.Write(append(body, '\n'))
			panic(http.ErrAbortHandler)
		}
		if _, err := file.Write(append(body, '\n')); err != nil { // one write: what a kill leaves is whole
			w.WriteHeader(http.StatusInsufficientStorage)
		}
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(string(text), "\n")
	return all[:len(all)-1]
}

// ledger returns what the receiver has kept, each event where it came first.
func ledger(t *testing.T, file string) (list []entry) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range lines(t, file) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !seen[e.ID] {
			seen[e.ID] = true
			list = append(list, e)
		}
	}
	return list
}
