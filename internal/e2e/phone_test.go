package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/audio"
)

// codecs are how baresip is told to use one codec only: module, account parameter, rate of its audio, channels.
var codecs = map[string]struct {
	module, account string
	rate, channels  int
}{
	"PCMU": {"g711.so", "PCMU/8000/1", 8000, 1},
	"PCMA": {"g711.so", "PCMA/8000/1", 8000, 1},
	"G722": {"g722.so", "G722/16000/1", 16000, 1},
	"opus": {"opus.so", "opus/48000/2", 48000, 2},
}

// phone is a running baresip with a folder of its own.
type phone struct {
	t       *testing.T
	dir     string
	control string // address of its ctrl_tcp
	cmd     *exec.Cmd
	out     *tail
	mu      sync.Mutex
	seen    []string // types of the events that it told of
}

// account are what may follow a phone's address in its accounts file, for example ";auth_pass=x;regint=60".
type account struct{ user, host, extra string }

// newPhone starts a baresip that sends the samples (at the codec's rate) over and over and keeps what it hears.
func newPhone(t *testing.T, codec string, samples []int16, a account) *phone {
	t.Helper()
	needs(t, "baresip")
	c := codecs[codec]
	dir := t.TempDir()
	port, control := freePort(t), freePort(t)
	if a.user == "" {
		a = account{user: "phone" + fmt.Sprint(port), host: fmt.Sprintf("127.0.0.1:%d", port)}
	}
	source := filepath.Join(dir, "says.wav")
	writeWAV(t, source, c.rate, c.channels, samples)
	config := fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:%[1]d
net_interface 127.0.0.1
audio_source aufile,%[2]s
audio_player aufile,%[3]s/player.wav
ausrc_srate %[4]d
auplay_srate %[4]d
ausrc_channels %[5]d
auplay_channels %[5]d
rtp_stats yes
rtp_ports %[7]d-%[8]d
module_path /usr/lib/baresip/modules
module %[6]s
module aufile.so
module sndfile.so
snd_path %[3]s
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%[9]d
`, port, source, dir, c.rate, c.channels, c.module, 40000+port%10000, 40000+port%10000+8, control)
	accounts := fmt.Sprintf("<sip:%s@%s>;audio_codecs=%s%s\n", a.user, a.host, c.account, a.extra)
	if !strings.Contains(a.extra, "regint") {
		accounts = strings.TrimSpace(accounts) + ";regint=0\n"
	}
	for name, text := range map[string]string{"config": config, "accounts": accounts, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &phone{t: t, dir: dir, control: fmt.Sprintf("127.0.0.1:%d", control), out: &tail{}}
	p.cmd = exec.Command("baresip", "-f", dir)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.quit)
	eventually(t, 10*time.Second, "phone's control port", func() error {
		conn, err := net.Dial("tcp", p.control)
		if err == nil {
			go p.listen(conn)
		}
		return err
	})
	return p
}

// listen collects the events that the phone tells of on one control connection until it is closed.
func (p *phone) listen(conn net.Conn) {
	dec := newNetstring(conn)
	for {
		msg, err := dec()
		if err != nil {
			return
		}
		var e struct {
			Event bool
			Type  string
		}
		if json.Unmarshal(msg, &e) == nil && e.Event {
			p.mu.Lock()
			p.seen = append(p.seen, e.Type)
			p.mu.Unlock()
		}
	}
}

// waitFor waits until the phone has told of an event, for example CALL_ESTABLISHED.
func (p *phone) waitFor(kind string) {
	p.t.Helper()
	eventually(p.t, 15*time.Second, "phone's "+kind, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, k := range p.seen {
			if k == kind {
				return nil
			}
		}
		return fmt.Errorf("phone told of %v; it said:\n%s", p.seen, p.out)
	})
}

// command sends a command, for example dial, hangup, sndcode.
func (p *phone) command(name, params string) {
	p.t.Helper()
	conn, err := net.DialTimeout("tcp", p.control, 5*time.Second)
	if err != nil {
		p.t.Fatalf("phone is gone: %v\n%s", err, p.out)
	}
	defer conn.Close()
	msg, _ := json.Marshal(map[string]string{"command": name, "params": params, "token": "t"})
	fmt.Fprintf(conn, "%d:%s,", len(msg), msg)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	dec := newNetstring(conn)
	for {
		answer, err := dec()
		if err != nil {
			p.t.Fatalf("phone's answer to %s: %v", name, err)
		}
		if strings.Contains(string(answer), `"response"`) {
			return
		}
	}
}

func (p *phone) dial(uri string) { p.t.Helper(); p.command("dial", uri) }
func (p *phone) hangup()         { p.t.Helper(); p.command("hangup", "") }

func (p *phone) quit() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
	p.cmd = nil
	if p.t.Failed() {
		p.t.Logf("phone %s said:\n%s", p.dir, p.out)
	}
}

// heard returns what the phone has heard so far in its last call, mono, and its rate.
func (p *phone) heard() (rate int, samples []int16) {
	p.t.Helper()
	files, _ := filepath.Glob(filepath.Join(p.dir, "dump-*-dec.wav"))
	if len(files) == 0 {
		return 0, nil
	}
	return readDump(p.t, files[len(files)-1])
}

// hears waits until the phone has heard d more.
func (p *phone) hears(d time.Duration) {
	p.t.Helper()
	length := func() time.Duration {
		rate, samples := p.heard()
		if rate == 0 {
			return 0
		}
		return time.Duration(len(samples)) * time.Second / time.Duration(rate)
	}
	from := length()
	eventually(p.t, d+15*time.Second, "audio at the phone", func() error {
		if got := length() - from; got < d {
			return fmt.Errorf("%v of %v", got, d)
		}
		return nil
	})
}

// tone returns d of a sine at a rate.
func tone(rate int, hertz float64, d time.Duration) []int16 {
	t := audio.NewTone(hertz, -15, rate, 0)
	out := make([]int16, int(d.Seconds()*float64(rate)))
	t.Read(out)
	return out
}
