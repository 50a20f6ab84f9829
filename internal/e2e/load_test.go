package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestManyCalls places 100 calls, 50 a second, into ten conferences. None fails, and each is in the log from its begin to its end. A
// machine that others keep busy may be too slow for that, which the server notices and refuses with 503: then it is tried again.
func TestManyCalls(t *testing.T) {
	needs(t, "sipp")
	s := start(t)
	for range 5 {
		if s.manyCalls(100, 10) {
			return
		}
		eventually(t, time.Minute, "server ready again", func() error {
			answer, err := http.Get("http://" + s.http + "/readyz")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != 200 {
				return errors.New(answer.Status)
			}
			return nil
		})
	}
	t.Error("calls were refused with 503 in five runs")
}

// manyCalls is one run. It returns false when calls were refused because the machine is busy, and for no other reason.
func (s *server) manyCalls(calls, rooms int) bool {
	t := s.t
	var ids []string
	for range rooms {
		ids = append(ids, s.conference(nil))
	}
	dir, port := t.TempDir(), portBlock(t)
	targets := filepath.Join(dir, "targets.csv")
	write(t, targets, "SEQUENTIAL\n"+strings.Join(ids, ";\n")+";\n")
	scenario, err := filepath.Abs("testdata/load.xml")
	if err != nil {
		t.Fatal(err)
	}
	sipp := exec.Command("sipp", "-sf", scenario, "-inf", targets, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(port+4),
		"-m", fmt.Sprint(calls), "-l", fmt.Sprint(calls), "-r", "50", "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", s.sip)
	sipp.Dir = dir
	if out, err := sipp.CombinedOutput(); err != nil {
		problems := errorsOf(dir)
		received := strings.Count(problems, "received 'SIP/2.0 ")
		if received > 0 && received == strings.Count(problems, "received 'SIP/2.0 503 ") && !strings.Contains(problems, "timeout") {
			t.Logf("%d of %d calls were refused with 503", received, calls)
			return false
		}
		t.Fatalf("sipp: %v\n%s\n%s", err, problems, out[max(0, len(out)-3000):])
	}
	for _, id := range ids {
		s.wait(id, "call_hangup", calls/rooms)
		log := s.events(id)
		for _, kind := range []string{"call_created", "call_progressing", "conferencecall_joined", "conferencecall_leaved", "call_hangup"} {
			if n := count(log, kind); n != calls/rooms {
				t.Errorf("%d × %s, want %d", n, kind, calls/rooms)
			}
		}
		if got := s.must("GET", "/conferences/"+id, nil); len(got["conferencecall_ids"].([]any)) != 0 {
			t.Errorf("conference afterwards: %v", got)
		}
	}
	return true
}

// errorsOf returns what SIPp has written of failed calls.
func errorsOf(dir string) string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(dir, "*errors.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		all.Write(text)
	}
	return all.String()
}

// tool builds a test program of the material that may stand beside the repository, or skips.
func tool(t *testing.T, name string) string {
	t.Helper()
	source := shared("tools", name)
	if source == "" {
		t.Skipf("%s is not at hand", name)
	}
	file := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", file, ".")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return file
}

// TestTorture sends the messages of RFC 4475 and RFC 5118 to a server that has no other network than loopback.
func TestTorture(t *testing.T) {
	t.Parallel()
	program := tool(t, "siptorture")
	manifest := shared("testdata", "sip-torture", "manifest.json")
	if alone() == nil {
		skip(t, "the torture messages name outside addresses, and this system has no network namespaces")
	}
	for _, c := range []struct {
		transport string
		want      int
	}{{"udp", 60}, {"tcp", 56}} {
		t.Run(c.transport, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out := script(t, dir, fmt.Sprintf(`
trap 'cat server.log' EXIT
%[1]s serve --dev --data data --sip 127.0.0.1:5080 >server.log 2>&1 &
server=$!
until curl -fsS -o /dev/null http://127.0.0.1:8080/readyz 2>/dev/null; do kill -0 $server || exit 1; sleep 0.1; done
%[2]s -target 127.0.0.1:5080 -transport %[3]s -manifest %[4]s -json result.json || true
curl -fsS http://127.0.0.1:8080/readyz
kill -TERM $server
wait $server
`, built, program, c.transport, manifest), 4*time.Minute)
			text, err := os.ReadFile(filepath.Join(dir, "result.json"))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			judge(t, text, c.want)
			if strings.Contains(out, "panic") || strings.Contains(out, "DATA RACE") {
				t.Error("panic or data race")
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// judge counts what the torture program reports.
func judge(t *testing.T, report []byte, want int) {
	t.Helper()
	type result struct {
		ID          string
		Pass, Alive bool
		Final       int
		Expected    string
		Why         string
	}
	var results []result
	if err := json.Unmarshal(report, &results); err != nil {
		var wrapped struct{ Results []result }
		if err := json.Unmarshal(report, &wrapped); err != nil {
			t.Fatal(err)
		}
		results = wrapped.Results
	}
	passed := 0
	for _, r := range results {
		if r.Pass {
			passed++
		} else {
			t.Logf("failed: %s: expected %s, got %d: %s", r.ID, r.Expected, r.Final, r.Why)
		}
		if !r.Alive {
			t.Errorf("%s: no answer to the OPTIONS after it", r.ID)
		}
	}
	t.Logf("%d of %d passed", passed, len(results))
	if passed < want {
		t.Errorf("%d of %d passed, want %d", passed, len(results), want)
	}
}

// TestWhoHearsWhom loads the server with 30 calls in three conferences and listens: everybody hears the talkers of its own conference, nobody
// itself or those of another.
func TestWhoHearsWhom(t *testing.T) {
	program := tool(t, "confload")
	s := start(t)
	for i := range 3 {
		s.conference(object{"type": "conference", "dial_in": fmt.Sprint(1000 + i)})
	}
	report := filepath.Join(t.TempDir(), "report.json")
	load := exec.Command(program, "-uri", "sip:%d@"+s.sip, "-first", "1000", "-conferences", "3", "-calls", "30", "-talkers", "3", "-time", "12s",
		"-rate", "15", "-rtp-base", fmt.Sprint(30000+os.Getpid()%80*30), "-pid", fmt.Sprint(s.cmd.Process.Pid), "-o", report)
	out, err := load.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Setup struct {
			Established, Failed int
			Dropped             int `json:"dropped_by_server"`
		}
		RTP struct {
			Deaf int `json:"calls_without_audio"`
		}
		Heard struct {
			Expected, Heard int
			Echoes          int `json:"own_tone_heard"`
			Strays          int `json:"stray_tones"`
		}
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Setup.Established != 30 || r.Setup.Failed != 0 || r.Setup.Dropped != 0 || r.RTP.Deaf != 0 {
		t.Errorf("calls: %+v, without audio %d", r.Setup, r.RTP.Deaf)
	}
	// A machine that is busy with other tests may lose a tone; an own or a stray one never comes by accident.
	if r.Heard.Expected == 0 || r.Heard.Heard < r.Heard.Expected*9/10 || r.Heard.Echoes != 0 || r.Heard.Strays != 0 {
		t.Errorf("tones: %+v", r.Heard)
	}
}
