package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kamailio starts one that sends numbers to a phone; it returns its address, and what kills it.
func kamailio(t *testing.T, phone string) (addr string, kill func()) {
	t.Helper()
	needs(t, "kamailio")
	addr = fmt.Sprintf("127.0.0.1:%d", portBlock(t))
	text, err := os.ReadFile("testdata/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	write(t, file, strings.NewReplacer("@LISTEN@", addr, "@PASSWORD@", "correct-horse", "@PHONE@", phone).Replace(string(text)))
	cmd := exec.Command("kamailio", "-f", file, "-DD", "-E", "-m", "32", "-M", "4", "-w", dir, "-Y", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is several processes
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	kill = func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-over }
	t.Cleanup(func() {
		if kill(); t.Failed() {
			t.Logf("kamailio said:\n%s", out.String())
		}
	})
	eventually(t, 20*time.Second, "kamailio", func() error { return pings(addr) })
	return addr, kill
}

// pings asks a server for a sign of life.
func pings(addr string) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, err = fmt.Fprintf(c, "OPTIONS sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bK-ping\r\nFrom: <sip:ping@%[2]s>;tag=1\r\nTo: <sip:%[1]s>\r\n"+
		"Call-ID: ping\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", addr, c.LocalAddr())
	if err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 2000))
	return err
}

// TestKamailio: a trunk registers with a Kamailio by digest; calls go out and come in by it, by its challenges and with its Record-Route; when it is killed, the
// trunk is shown as not reachable, and calls go by another one.
func TestKamailio(t *testing.T) {
	t.Parallel()
	needs(t, "baresip", "kamailio")
	here := near(t)
	room := here.conference(object{"type": "conference", "dial_in": "trunk"})
	bob := newPhone(t, "PCMU", tone(8000, 900, 4*time.Minute), account{user: "+4930123456"})
	first, kill := kamailio(t, bob.account.host)
	second, _ := kamailio(t, bob.account.host)
	trunk := func(addr string, priority int) string {
		made := here.must("POST", "/trunks", trunkTo(t, addr, object{
			"auth": "register", "username": "trunk", "password": "correct-horse", "priority": priority, "prefixes": []object{{"prefix": "+4930"}},
		}))
		return "/trunks/" + made["id"].(string)
	}
	one, other := trunk(first, 1), trunk(second, 2)
	for _, path := range []string{one, other} {
		eventually(t, 20*time.Second, "registration", func() error {
			state, _ := here.must("GET", path, nil)["state"].(object)
			if state["registered"] != true || state["reachable"] != true {
				return fmt.Errorf("state %v", state)
			}
			return nil
		})
	}

	// In: Carol has credentials at the Kamailio, which knows where the trunk is.
	carol := newPhone(t, "PCMU", tone(8000, 440, 4*time.Minute), account{"carol", first, ";auth_pass=correct-horse;auth_user=carol"})
	carol.enter("sip:trunk@" + first)
	here.wait(room, "conferencecall_joined", 1)

	// Out, to a phone behind it; each side hangs up once.
	calls := func(n int) (path string) {
		made := here.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"type": "tel", "target": "+4930123456"}})
		bob.accept()
		here.wait(room, "conferencecall_joined", n)
		bob.hearsTone(440)
		carol.hearsTone(900)
		return "/conferencecalls/" + made["id"].(string)
	}
	path := calls(2)
	here.must("POST", path+"/mute", object{})
	carol.hearsNone(900)
	here.must("DELETE", path, nil)
	bob.waitFor("CALL_CLOSED")
	calls(3)
	bob.hangup()
	here.wait(room, "conferencecall_leaved", 2)

	kill()
	eventually(t, 90*time.Second, "trunk that is not reachable", func() error {
		state, _ := here.must("GET", one, nil)["state"].(object)
		if state["reachable"] != false {
			return fmt.Errorf("state %v", state)
		}
		return nil
	})
	calls(4)
	bob.hangup()
	here.wait(room, "conferencecall_leaved", 3)
}
