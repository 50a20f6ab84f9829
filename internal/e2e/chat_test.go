package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// texts are the messages of a conference as a participant reads them, "" for all, oldest first.
func (s *server) texts(room, as string) (list []string) {
	s.t.Helper()
	for _, m := range s.list("/conferences/" + room + "/messages?conferencecall_id=" + as) {
		list = append(list, strings.TrimSpace(m["text"].(string)))
	}
	slices.Reverse(list)
	return list
}

// sends sends a SIP MESSAGE outside of any call (RFC 3428) and returns the answer.
func (s *server) sends(user, media, text string) string {
	s.t.Helper()
	c, err := net.Dial("udp", s.sip)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	tag, at := rand.Text(), c.LocalAddr()
	fmt.Fprintf(c, "MESSAGE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:eve@%s>;tag=%s\r\nTo: <sip:%[1]s@%[2]s>\r\n"+
		"Call-ID: %[6]s\r\nCSeq: 1 MESSAGE\r\nContent-Type: %[7]s\r\nContent-Length: %[8]d\r\n\r\n%[9]s", user, s.sip, at, tag, at, tag, media, len(text), text)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer[:n])
}

// TestMessages: what a phone writes in its call, or outside of any, and what others write to it. The rest is the API's.
func TestMessages(t *testing.T) {
	t.Parallel()
	needs(t, "sipp")
	s := start(t)
	room := s.conference(object{"name": "chat"})
	scenario, err := filepath.Abs("testdata/messages.xml")
	if err != nil {
		t.Fatal(err)
	}
	port, dir := portBlock(t), t.TempDir()
	sipp := exec.Command("sipp", "-sf", scenario, "-s", room, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(port+4),
		"-m", "1", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", s.sip)
	sipp.Dir = dir
	said := &tail{}
	sipp.Stdout, sipp.Stderr = said, said
	if err := sipp.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sipp.Wait() }()
	phone := s.wait(room, "conferencecall_joined", 1).id()
	other := newPhone(t, "PCMU", silence(8000), account{})
	other.enter("sip:" + room + "@" + s.sip)
	ada := s.wait(room, "conferencecall_joined", 2).id()

	path := "/conferences/" + room + "/messages"
	s.must("POST", path, object{"text": "only for ada", "to": []string{ada}})
	s.must("POST", path, object{"text": "to all", "conferencecall_id": ada})
	s.wait(room, "conference_message_created", 4)
	s.must("POST", path, object{"text": "to you", "to": []string{phone}})
	if err := <-ended; err != nil {
		t.Fatalf("sipp: %v\n%s\n%s", err, errorsOf(dir), said)
	}
	s.wait(room, "conferencecall_leaved", 1)
	for media, want := range map[string]string{"text/html": "SIP/2.0 415 ", "text/plain": "SIP/2.0 200 "} {
		if got := s.sends(room, media, "from outside"); !strings.HasPrefix(got, want) {
			t.Errorf("a message of type %s is answered with %s", media, got)
		}
	}
	s.wait(room, "conference_message_created", 6)

	want := []string{"only for ada", "to all", "from the phone", "wrapped", "to you", "from outside"}
	if got := s.texts(room, ""); !slices.Equal(got, want) {
		t.Errorf("all read %q", got)
	}
	if got := s.texts(room, phone); !slices.Equal(got, want[1:]) {
		t.Errorf("the phone reads %q", got)
	}
	if got := s.texts(room, ada); !slices.Equal(got, slices.Delete(slices.Clone(want), 4, 5)) {
		t.Errorf("ada reads %q", got)
	}
	s.must("DELETE", "/conferences/"+room, nil)
	if status, _ := s.do("POST", path, object{"text": "late"}); status != 409 {
		t.Errorf("a message after the end: %d", status)
	}
	if got := s.texts(room, ""); !slices.Equal(got, want) {
		t.Errorf("after the end all read %q", got)
	}
}
