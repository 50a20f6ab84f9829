package e2e

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/internal/codec"
)

// speaksEarly is a phone at an address that rings, says a tone for some seconds before it answers, and answers one call. wait returns how that went.
func speaksEarly(t *testing.T, hertz float64) (uri string, wait func() error) {
	t.Helper()
	needs(t, "sipp")
	dir, port := t.TempDir(), portBlock(t)
	e, err := codec.NewEncoder(codec.Format{Name: "PCMU", ClockRate: 8000, SampleRate: 8000}, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var sound []byte
	for pcm := tone(8000, hertz, 10*time.Second); len(pcm) >= 160; pcm = pcm[160:] {
		var frame [codec.MaxPayload]byte
		n, err := e.Encode(frame[:], pcm[:160])
		if err != nil {
			t.Fatal(err)
		}
		sound = append(sound, frame[:n]...)
	}
	if err := os.WriteFile(filepath.Join(dir, "tone.ul"), sound, 0o600); err != nil {
		t.Fatal(err)
	}
	scenario, err := filepath.Abs("testdata/early.xml")
	if err != nil {
		t.Fatal(err)
	}
	sipp := exec.Command("sipp", "-sf", scenario, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(port+4),
		"-m", "1", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err")
	sipp.Dir = dir
	var out tail
	sipp.Stdout, sipp.Stderr = &out, &out
	if err := sipp.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() {
		err := sipp.Wait()
		if err != nil {
			err = fmt.Errorf("sipp: %w\n%s\n%s", err, errorsOf(dir), out.String())
		}
		over <- err
	}()
	t.Cleanup(func() { _ = sipp.Process.Kill() })
	return fmt.Sprintf("sipp@127.0.0.1:%d", port), func() error {
		select {
		case err := <-over:
			return err
		case <-time.After(30 * time.Second):
			return fmt.Errorf("sipp goes on\n%s", out.String())
		}
	}
}

// TestEarlyMedia: a phone that calls another one is told that it rings when it does, hears what that one has to say before it answers, and is answered when
// it is. A caller who gives up takes the callee along.
func TestEarlyMedia(t *testing.T) {
	t.Parallel()
	needs(t, "baresip", "sipp")
	s := start(t)
	s.must("POST", "/extensions", object{"extension": "ada", "password": "correct-horse"})
	ada := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{"ada", s.sip, ";auth_pass=correct-horse"})

	uri, wait := speaksEarly(t, 900)
	dial := func(uri string) { ada.dial("sip:" + url.QueryEscape("sip:"+uri) + "@" + s.sip) }
	dial(uri)
	ada.waitFor("CALL_RINGING")
	ada.waitFor("CALL_PROGRESS")
	ada.hearsTone(900)
	early := 0
	for _, c := range s.list("/calls") {
		if early++; c["status"] != "ringing" || c["tm_ringing"] == nil || c["tm_progressing"] != nil {
			t.Errorf("a call that nobody has answered: %v", c)
		}
	}
	if early != 2 {
		t.Errorf("%d calls, want 2", early)
	}
	ada.waitFor("CALL_ESTABLISHED")
	ada.hearsTone(900)
	ada.hangup()
	if err := wait(); err != nil {
		t.Error(err)
	}

	eve := newPhone(t, "PCMU", tone(8000, 700, time.Minute), account{})
	dial(eve.address())
	eve.waitFor("CALL_INCOMING")
	ada.waitFor("CALL_RINGING")
	ada.hangup()
	eve.waitFor("CALL_CLOSED")
	eventually(t, 10*time.Second, "end of all calls", func() error {
		for _, c := range s.list("/calls") {
			if c["status"] != "hangup" {
				return fmt.Errorf("%v", c)
			}
		}
		return nil
	})
}
