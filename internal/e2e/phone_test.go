package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
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
	account account
	control string // address of its ctrl_tcp
	conn    net.Conn
	answers chan answer // to commands
	cmd     *exec.Cmd
	out     *tail
	mu      sync.Mutex
	told    []told
	read    int // how many of them waitFor has taken
}

// told is an event that a phone tells of, for example CALL_CLOSED with its cause.
type told struct{ Type, Param string }

// answer is what a phone says to a command.
type answer struct {
	OK   bool
	Data string
}

// account is what a phone's accounts file says: user and host of its address, and what may follow, for example ";auth_pass=x;regint=60".
type account struct{ user, host, extra string }

// newPhone starts a baresip that sends the samples (at the codec's rate) and keeps what it hears.
func newPhone(t *testing.T, codec string, samples []int16, a account) *phone {
	t.Helper()
	needs(t, "baresip")
	dir, ports := t.TempDir(), portBlock(t)
	c := codecs[codec]
	if a.user == "" {
		a.user = "phone" + fmt.Sprint(ports)
	}
	if a.host == "" {
		a.host = fmt.Sprintf("127.0.0.1:%d", ports)
	}
	writeWAV(t, filepath.Join(dir, "says.wav"), c.rate, c.channels, samples)
	extra := a.extra
	if !strings.Contains(extra, "regint") {
		extra += ";regint=0"
	}
	config := configOf(dir, codec, ports)
	if strings.Contains(extra, "mediaenc=srtp") {
		config += "module srtp.so\n"
	}
	for name, text := range map[string]string{
		"config":   config,
		"accounts": fmt.Sprintf("<sip:%s@%s>;audio_codecs=%s%s\n", a.user, a.host, c.account, extra),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &phone{t: t, dir: dir, account: a, control: fmt.Sprintf("127.0.0.1:%d", ports+2), out: &tail{}, answers: make(chan answer, 16)}
	p.run()
	return p
}

func configOf(dir, codec string, ports int) string {
	c := codecs[codec]
	return fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:%[1]d
net_interface 127.0.0.1
audio_source aufile,%[3]s/says.wav
audio_player aufile,%[3]s/player.wav
ausrc_srate %[4]d
auplay_srate %[4]d
ausrc_channels %[5]d
auplay_channels %[5]d
rtp_stats yes
rtp_ports %[7]d-%[8]d
module_path %[9]s
module %[6]s
module aufile.so
module sndfile.so
snd_path %[3]s
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%[2]d
`, ports, ports+2, dir, c.rate, c.channels, c.module, ports+4, ports+blockSize-1, modulePath())
}

// modulePath is where the system keeps baresip's modules.
func modulePath() string {
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return "/usr/lib/baresip/modules"
}

func (p *phone) run() {
	p.t.Helper()
	p.cmd = exec.Command("baresip", "-f", p.dir)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.quit)
	eventually(p.t, 15*time.Second, "phone's control port", func() error {
		var err error
		p.conn, err = net.Dial("tcp", p.control)
		return err
	})
	p.t.Cleanup(func() { p.conn.Close() })
	go p.listen()
}

// listen collects what the phone tells on its control connection, the only one that it has, until it is closed.
func (p *phone) listen() {
	next := newNetstring(p.conn)
	for {
		msg, err := next()
		if err != nil {
			return
		}
		var m struct {
			Event, Response, OK bool
			Type, Param, Data   string
		}
		switch err := json.Unmarshal(msg, &m); {
		case err != nil:
		case m.Event:
			p.mu.Lock()
			p.told = append(p.told, told{m.Type, m.Param})
			p.mu.Unlock()
		case m.Response:
			p.answers <- answer{m.OK, m.Data}
		}
	}
}

// waitFor waits until the phone tells of an event, for example CALL_ESTABLISHED, after the one that was waited for before. It
// returns what the phone says about it, for example the status that closed a call.
func (p *phone) waitFor(kind string) (param string) {
	p.t.Helper()
	eventually(p.t, 20*time.Second, "phone's "+kind, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, e := range p.told[p.read:] {
			if e.Type == kind {
				p.read += i + 1
				param = e.Param
				return nil
			}
		}
		return fmt.Errorf("phone told of %v; it said:\n%s", p.told, p.out)
	})
	return param
}

// says waits until the phone has printed a text. It registers before its control port is open, so there is no event to wait for.
func (p *phone) says(text string) {
	p.t.Helper()
	eventually(p.t, 20*time.Second, "phone's "+text, func() error {
		if said := p.out.String(); !strings.Contains(said, text) {
			return fmt.Errorf("it said:\n%s", said)
		}
		return nil
	})
}

var rates = regexp.MustCompile(`audio=(\d+)/(\d+) \(bit/s\)`)

// receives waits until the phone counts media as coming in, or as not coming in: what it records ends at the first hold.
func (p *phone) receives(want bool) {
	p.t.Helper()
	from := len(p.out.all())
	eventually(p.t, 20*time.Second, "phone's bit rate", func() error {
		seen := rates.FindAllStringSubmatch(p.out.all()[from:], -1)
		if len(seen) == 0 || (seen[len(seen)-1][2] != "0") != want {
			return fmt.Errorf("receives media: want %v, rates %v", want, seen)
		}
		return nil
	})
}

// command sends a command, for example dial, hangup, sndcode.
func (p *phone) command(name, params string) {
	p.t.Helper()
	msg, _ := json.Marshal(map[string]string{"command": name, "params": params, "token": "t"})
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(msg), msg); err != nil {
		p.t.Fatalf("phone is gone: %v\n%s", err, p.out)
	}
	select {
	case a := <-p.answers:
		if !a.OK {
			p.t.Fatalf("phone does not %s %s: %s", name, params, a.Data)
		}
	case <-time.After(10 * time.Second):
		p.t.Fatalf("phone does not answer to %s %s", name, params)
	}
}

// address is where the phone can be called, without a scheme.
func (p *phone) address() string { return p.account.user + "@" + p.account.host }

func (p *phone) dial(uri string) { p.t.Helper(); p.command("dial", uri) }
func (p *phone) hangup()         { p.t.Helper(); p.command("hangup", "") }

// enter dials and waits until the call is up.
func (p *phone) enter(uri string) {
	p.t.Helper()
	p.dial(uri)
	p.waitFor("CALL_ESTABLISHED")
}

// quit ends the phone as a user would, and takes it away when it does not listen.
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
	latest, at := "", time.Time{}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(at) {
			latest, at = f, info.ModTime()
		}
	}
	if latest == "" {
		return 0, nil
	}
	return readWAV(p.t, latest)
}

// hears waits until the phone has heard d more and returns that.
func (p *phone) hears(d time.Duration) (rate int, samples []int16) {
	p.t.Helper()
	_, before := p.heard()
	eventually(p.t, d+20*time.Second, "audio at the phone", func() error {
		rate, samples = p.heard()
		if rate == 0 {
			return fmt.Errorf("none so far")
		}
		if got := time.Duration(len(samples)-len(before)) * time.Second / time.Duration(rate); got < d {
			return fmt.Errorf("%v of %v", got, d)
		}
		return nil
	})
	return rate, samples[len(before):]
}

// hearsTone waits until the phone has heard a tone at -12 dB, as tone makes it, for half a second without a break.
func (p *phone) hearsTone(hertz float64) {
	p.t.Helper()
	p.untilTone(hertz, "at about -12 dB", func(level float64) bool { return level > -16 && level < -8 })
}

// hearsNone waits until the phone has not heard a tone for half a second.
func (p *phone) hearsNone(hertz float64) {
	p.t.Helper()
	p.untilTone(hertz, "not at all", func(level float64) bool { return level < -50 })
}

func (p *phone) untilTone(hertz float64, want string, good func(level float64) bool) {
	p.t.Helper()
	level := 0.0
	for range 40 {
		rate, samples := p.hears(time.Second / 2)
		if level = power(rate, samples, hertz); good(level) {
			return
		}
	}
	p.t.Errorf("phone %s hears %v Hz at %.1f dB, want it %s", filepath.Base(p.dir), hertz, level, want)
}
