package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/store"
)

// TestTardySocket says the same of a WebSocket: while it takes what is sent, it is not blamed for pings that did not get through.
func TestTardySocket(t *testing.T) {
	s := newStage(t, Options{Patience: time.Second, Beat: 100 * time.Millisecond})
	s.pad = strings.Repeat("x", 8000)
	last, more := s.log(200), 3
	narrow := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return c, err
	}}}
	c, res, err := websocket.Dial(t.Context(), s.server.URL+"/ws", &websocket.DialOptions{HTTPClient: narrow})
	if res != nil && res.Body != nil {
		res.Body.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"subscribe","topics":["customer_id:%s"],"after":0}`, me)); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for e := (store.Entry{}); e.Seq < last; <-tick.C {
		if e.Seq == last-1 && more > 0 {
			more--
			last = s.log(80) // what was sent at once is over, and the next is due
		}
		_, text, err := c.Read(t.Context())
		if err != nil {
			t.Fatalf("after entry %d: %v", e.Seq, err)
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
	}
}
