package feed

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMany measures what many readers cost: a server in a process of its own, half of its readers WebSockets and half Server-Sent Events, each of
// which gets every entry. PARLEY_TEST_READERS says how many there are, PARLEY_TEST_RATE how many entries a second.
func TestMany(t *testing.T) {
	if os.Getenv("PARLEY_TEST_FEED") != "" {
		serveFeed(t)
		return
	}
	readers, rate, seconds := setting("PARLEY_TEST_READERS", 100), setting("PARLEY_TEST_RATE", 100), setting("PARLEY_TEST_SECONDS", 3)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMany$")
	cmd.Env = append(os.Environ(), "PARLEY_TEST_FEED=1", fmt.Sprintf("PARLEY_TEST_READERS=%d", readers))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	line := func() string { text, _ := said.ReadString('\n'); return strings.TrimSpace(text) }
	addr := line()
	var group sync.WaitGroup
	var entries atomic.Int64
	for n := range readers {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			defer c.Close()
			entries.Add(count(c, n%2 == 0))
		})
	}
	fmt.Fprintf(in, "%d %d\n", rate, seconds)
	var cpu, memory float64
	var opened int
	if _, err := fmt.Sscan(line(), &opened, &cpu, &memory); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	group.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if want := int64(readers * rate * seconds); entries.Load() != want || opened != readers {
		t.Errorf("%d readers got %d entries, want %d", opened, entries.Load(), want)
	}
	t.Logf("%d readers, %d entries a second each: %.2f of a core, %.0f MB", readers, rate, cpu/float64(seconds), memory)
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// count reads a stream to its end and returns how many entries came.
func count(c net.Conn, socket bool) (n int64) {
	if socket {
		topics := `{"type":"subscribe","topics":["customer_id:` + me + `:conference"]}`
		frame := append([]byte{0x81, 0x80 | byte(len(topics)), 0, 0, 0, 0}, topics...) // masked with zeros
		fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%s", frame)
	} else {
		fmt.Fprint(c, "GET /events/stream?type=conference_* HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	mark := []byte(`"type":"conference_updated"`)
	r := bufio.NewReaderSize(c, 64<<10)
	have := 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return n
		}
		if b == mark[have] {
			if have++; have == len(mark) {
				n, have = n+1, 0
			}
		} else if have = 0; b == mark[0] {
			have = 1
		}
	}
}

// serveFeed is the server's side. It says where it listens, waits for all readers, writes entries at a rate, and says what that cost: readers,
// seconds of processor time, MB of memory.
func serveFeed(t *testing.T) {
	s := newStage(t, Options{PerKey: 1 << 20})
	s.pad = strings.Repeat("x", 700) // an entry of a kilobyte, as real ones are
	fmt.Println(s.server.Listener.Addr())
	readers := setting("PARLEY_TEST_READERS", 0)
	var rate, seconds int
	if _, err := fmt.Fscan(os.Stdin, &rate, &seconds); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); s.feed.Open() < readers && time.Now().Before(end); {
		<-time.After(10 * time.Millisecond)
	}
	<-time.After(time.Second) // their topics are on their way
	before := processorTime()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for range rate * seconds {
		<-tick.C
		s.log(1)
	}
	tick.Stop()
	<-time.After(500 * time.Millisecond)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(s.feed.Open(), (processorTime() - before).Seconds(), float64(m.Sys)/1e6)
	_, _ = io.ReadAll(os.Stdin)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
