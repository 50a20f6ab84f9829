package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lossy is a network between UDP clients and one server that loses a share of the datagrams in each direction.
type lossy struct {
	t        *testing.T
	conn     *net.UDPConn // where clients send to
	server   *net.UDPAddr
	share    float64
	lost, ok atomic.Int64

	mu      sync.Mutex // guards what follows
	rnd     *rand.Rand
	clients map[string]*net.UDPConn // what each of them is at the server
}

// newLossy opens one; clients find the server at the address that it returns.
func newLossy(t *testing.T, server string, share float64) (l *lossy, addr string) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l = &lossy{t: t, conn: conn, server: to, share: share, rnd: rand.New(rand.NewPCG(1, 2)), clients: map[string]*net.UDPConn{}}
	var running sync.WaitGroup
	running.Go(func() { l.carry(&running) })
	t.Cleanup(func() {
		conn.Close()
		l.mu.Lock()
		for _, c := range l.clients {
			c.Close()
		}
		l.mu.Unlock()
		running.Wait()
	})
	return l, conn.LocalAddr().String()
}

// arrives tells whether the next datagram does.
func (l *lossy) arrives() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rnd.Float64() < l.share {
		l.lost.Add(1)
		return false
	}
	l.ok.Add(1)
	return true
}

// carry takes what clients send to the server.
func (l *lossy) carry(running *sync.WaitGroup) {
	buf := make([]byte, 65536)
	for {
		n, from, err := l.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		c, err := l.at(from, running)
		if err != nil {
			l.t.Error(err)
			return
		}
		if l.arrives() {
			_, _ = c.Write(buf[:n])
		}
	}
}

// at is what a client is at the server.
func (l *lossy) at(client *net.UDPAddr, running *sync.WaitGroup) (*net.UDPConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.clients[client.String()]; c != nil {
		return c, nil
	}
	c, err := net.DialUDP("udp", nil, l.server)
	if err != nil {
		return nil, err
	}
	l.clients[client.String()] = c
	running.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if l.arrives() {
				_, _ = l.conn.WriteToUDP(buf[:n], client)
			}
		}
	})
	return c, nil
}

// TestLossyNetwork: a third of all SIP datagrams is lost in each direction. Calls come and go, in and out; 40 seconds after the last of them nothing is left of
// them, neither here nor at the phones.
func TestLossyNetwork(t *testing.T) {
	t.Parallel()
	needs(t, "sipp", "baresip")
	const share = 0.3
	s := start(t)
	in, lossyIn := newLossy(t, s.sip, share)
	room := s.conference(object{"type": "conference"})

	// SIPp calls, one after the other and at the same time. Some may fail: that is what a client sees of such a network.
	dir, port := t.TempDir(), portBlock(t)
	targets := filepath.Join(dir, "targets.csv")
	write(t, targets, "SEQUENTIAL\n"+room+";\n")
	scenario, err := filepath.Abs("testdata/load.xml")
	if err != nil {
		t.Fatal(err)
	}
	sipp := exec.Command("sipp", "-sf", scenario, "-inf", targets, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(port+4),
		"-m", "40", "-l", "40", "-r", "5", "-nostdin", "-timeout", "90s", "-trace_err", lossyIn)
	sipp.Dir = dir
	calls := make(chan string, 1)
	go func() {
		out, _ := sipp.CombinedOutput()
		calls <- string(out)
	}()

	// A phone comes and goes, and one is called and hung up, again and again.
	ada := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{extra: fmt.Sprintf(";outbound=\"sip:%s;lr\"", lossyIn)})
	bob := newPhone(t, "PCMU", tone(8000, 900, time.Minute), account{extra: ";answermode=auto"})
	out, lossyOut := newLossy(t, bob.account.host, share)
	ada.enter("sip:" + room + "@" + s.sip)
	for more := 5; more >= 0; more-- {
		made := s.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"type": "sip", "target": bob.account.user + "@" + lossyOut}, "name": "Bob"})
		bob.waitFor("CALL_ESTABLISHED")
		if more > 0 {
			s.must("DELETE", "/conferencecalls/"+made["id"].(string), nil)
			bob.waitFor("CALL_CLOSED")
		}
	}
	ada.hearsTone(900)
	bob.hearsTone(440)
	ada.hangup()
	said := <-calls
	s.must("DELETE", "/conferences/"+room, nil)
	bob.waitFor("CALL_CLOSED")

	eventually(t, 40*time.Second, "end of all calls", func() error {
		live := 0
		for _, c := range s.list("/calls") {
			if c["status"] != "hangup" {
				live++
			}
		}
		if dialogs := s.metric("sip_dialogs"); live > 0 || dialogs != "0" {
			return fmt.Errorf("%d calls and %s dialogs are live", live, dialogs)
		}
		return nil
	})
	if n := len(s.list("/calls")); n < 40 {
		t.Errorf("only %d calls came; sipp said\n%s", n, said[max(0, len(said)-2000):])
	}
	for what, l := range map[string]*lossy{"in": in, "out": out} {
		if lost, ok := l.lost.Load(), l.ok.Load(); lost == 0 || what == "in" && lost*5 < ok {
			t.Errorf("%s: %d lost, %d not: the test does not do what it says", what, lost, ok)
		}
	}
}

// metric reads one figure of the server.
func (s *server) metric(name string) string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.http + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "parley_"+name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	s.t.Fatalf("there is no parley_%s", name)
	return ""
}
