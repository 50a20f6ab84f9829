package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// linphone is a running linphonec that says a file and keeps what it hears.
type linphone struct {
	t     *testing.T
	dir   string
	in    io.WriteCloser
	out   *tail
	ended chan struct{}
}

func newLinphone(t *testing.T, hertz float64) *linphone {
	t.Helper()
	needs(t, "linphonec")
	dir, ports := t.TempDir(), portBlock(t)
	writeWAV(t, filepath.Join(dir, "says.wav"), 8000, 1, tone(8000, hertz, time.Minute))
	write(t, filepath.Join(dir, "rc"), fmt.Sprintf(`[sip]
sip_port=%[1]d
sip_tcp_port=%[1]d
sip_tls_port=0
use_ipv6=0
[rtp]
audio_rtp_port=%[2]d
[sound]
echocancellation=0
[video]
enabled=0
capture=0
display=0
automatically_initiate=0
automatically_accept=0
`, ports, ports+4))
	if err := os.MkdirAll(filepath.Join(dir, ".local", "share", "linphone"), 0o700); err != nil { // without its database it opens no socket
		t.Fatal(err)
	}
	cmd := exec.Command("linphonec", "-c", filepath.Join(dir, "rc"))
	cmd.Dir, cmd.Env = dir, environment("HOME="+dir)
	l := &linphone{t: t, dir: dir, out: &tail{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = l.out, l.out
	var err error
	if l.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(l.ended) }()
	t.Cleanup(func() {
		_, _ = io.WriteString(l.in, "quit\n")
		select {
		case <-l.ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-l.ended
		}
		if t.Failed() {
			t.Logf("linphone said:\n%s", l.out)
		}
	})
	l.does("soundcard use files", "wav files instead")
	l.does("play "+filepath.Join(dir, "says.wav"), "")
	l.does("record "+filepath.Join(dir, "heard.wav"), "")
	return l
}

// does gives a command, and waits until the phone has printed a text.
func (l *linphone) does(command, until string) {
	l.t.Helper()
	from := len(l.out.all())
	if _, err := io.WriteString(l.in, command+"\n"); err != nil {
		l.t.Fatalf("%s: %v\n%s", command, err, l.out)
	}
	eventually(l.t, 20*time.Second, "linphone's "+until, func() error {
		if said := l.out.all()[from:]; !strings.Contains(said, until) {
			return fmt.Errorf("it said %s", said)
		}
		return nil
	})
}

// TestLinphone: a Linphone and a baresip hear each other in one room.
func TestLinphone(t *testing.T) {
	t.Parallel()
	needs(t, "baresip", "linphonec")
	s := start(t)
	room := s.conference(object{"type": "conference"})
	ada := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{})
	ada.enter("sip:" + room + "@" + s.sip)
	lin := newLinphone(t, 700)
	lin.does("call sip:"+room+"@"+s.sip, "Media streams established")
	s.wait(room, "conferencecall_joined", 2)
	ada.hearsTone(700)
	ada.hearsNone(440)
	passes(t, 3*time.Second)
	lin.does("terminate", "ended")
	s.wait(room, "conferencecall_leaved", 1)
	rate, heard := readWAV(t, filepath.Join(lin.dir, "heard.wav"))
	heard = heard[len(heard)/3:]
	if own, other := power(rate, heard, 700), power(rate, heard, 440); other < -20 || own > -35 {
		t.Errorf("linphone hears the other at %.1f dB and itself at %.1f dB (%d Hz)", other, own, rate)
	}
}
