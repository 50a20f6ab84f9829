package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
)

// Ports are given out in blocks below those that the system gives out by itself, each block once per process, so that tests can run
// side by side. Where a process starts depends on its id, for the sake of two of them at once.
const (
	blockSize  = 16
	blocksFrom = 2048
	blocks     = (10000 - blocksFrom) / blockSize
	mediaSize  = 1200
)

var given struct {
	sync.Mutex
	blocks, media int
}

// portBlock returns the first of blockSize ports that are free for UDP and TCP just now and nobody else of this process is given.
func portBlock(t *testing.T) int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	for given.blocks < blocks {
		first := blocksFrom + (os.Getpid()*37+given.blocks)%blocks*blockSize
		given.blocks++
		if free(first) {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// mediaPorts returns a range of RTP ports of a server's own.
func mediaPorts() string {
	given.Lock()
	defer given.Unlock()
	low := 20000 + (os.Getpid()*7+given.media)%8*mediaSize
	given.media++
	return fmt.Sprintf("%d-%d", low, low+mediaSize-1)
}

func free(first int) bool {
	for p := first; p < first+blockSize; p++ {
		if p == 5060 || p == 8080 || !idle(p) { // the defaults are for the test of the README
			return false
		}
	}
	return true
}

// idle reports whether nobody has a port, for UDP and TCP.
func idle(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	u.Close()
	return true
}

// environment is that of this process without settings of the server.
func environment(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PARLEY_") {
			env = append(env, e)
		}
	}
	return append(env, more...)
}
