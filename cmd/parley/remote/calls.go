package remote

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Calls are the commands about calls.
type Calls struct {
	List    listCalls   `cmd:"" default:"withargs" help:"List the calls that are up, or all."`
	Show    showCall    `cmd:"" help:"Show one call."`
	Explain explainCall `cmd:"" help:"Say why a call is as it is: why it ended, who did it, from the log."`
	Hangup  hangupCall  `cmd:"" help:"Hang up a call."`
	Out     callOut     `cmd:"" help:"Call somebody, and bring the call into a conference or say something."`
}

// callRow is what the tables tell of a call.
type callRow struct {
	ID, Status, Direction string
	Source, Destination   struct{ Target string }
	ConferenceID          string     `json:"conference_id"`
	RecordingID           string     `json:"recording_id"`
	HangupBy              string     `json:"hangup_by"`
	HangupReason          string     `json:"hangup_reason"`
	HangupDetail          string     `json:"hangup_detail"`
	SIPCallID             string     `json:"sip_call_id"`
	Created               time.Time  `json:"tm_create"`
	Answered              *time.Time `json:"tm_progressing"`
	Ended                 *time.Time `json:"tm_hangup"`
	Quality               *struct {
		MOS  float64 `json:"mos"`
		Loss float64 `json:"loss_percent"`
		RTT  float64 `json:"rtt_ms"`
	}
}

// length is how long the call has been, or was, up.
func (c *callRow) length() string {
	if c.Answered == nil {
		return ""
	}
	to := time.Now()
	if c.Ended != nil {
		to = *c.Ended
	}
	return age(*c.Answered, to)
}

func (c *callRow) row() []string {
	status := c.Status
	if c.HangupReason != "" {
		status += " (" + strings.TrimSpace(c.HangupReason+" by "+c.HangupBy) + ")"
	}
	where := ""
	if given(c.ConferenceID) {
		where = c.ConferenceID
	}
	return []string{c.ID, c.Direction, c.Source.Target, c.Destination.Target, c.Created.UTC().Format(time.RFC3339), c.length(), status, where}
}

type listCalls struct {
	asking
	All  bool `help:"Also those that are over, newest first."`
	Most int  `help:"At most so many." default:"100"`
}

// Run prints a line for each call.
func (c *listCalls) Run() error {
	q := url.Values{}
	if !c.All {
		q.Set("status", "dialing,ringing,progressing,terminating,canceling")
	}
	all, err := pages[raw[callRow]](&c.asking, "/calls", q, c.Most)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(all)
	}
	var rows [][]string
	for _, x := range all {
		rows = append(rows, x.T.row())
	}
	return table("CALL DIRECTION FROM TO STARTED LENGTH STATUS CONFERENCE", rows, "no call is up: --all lists those that are over")
}

// oneCall names a call on the command line.
type oneCall struct {
	asking
	Call string `arg:"" help:"Its id, or the beginning of the id of one of the latest thousand."`
}

func (c *oneCall) find() (string, error) {
	if len(c.Call) == 36 {
		return c.Call, nil
	}
	all, err := pages[callRow](&c.asking, "/calls", url.Values{}, 1000)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, k := range all {
		ids = append(ids, k.ID)
	}
	return resolve("call", c.Call, ids)
}

type showCall struct{ oneCall }

// Run prints the call.
func (c *showCall) Run() error {
	id, err := c.find()
	if err != nil {
		return err
	}
	var k callRow
	if printed, err := c.ask(http.MethodGet, "/calls/"+id, nil, &k); err != nil || printed {
		return err
	}
	fmt.Printf("%s  %s from %s to %s\n", k.ID, k.Direction, plain(k.Source.Target), plain(k.Destination.Target))
	fmt.Printf("  %s, since %s, up for %s\n", k.Status, k.Created.UTC().Format(time.RFC3339), cmp.Or(k.length(), "no time"))
	if k.HangupReason != "" {
		fmt.Printf("  ended by %s: %s %s ('parley calls explain %s' says why)\n", k.HangupBy, k.HangupReason, plain(k.HangupDetail), id)
	}
	if given(k.ConferenceID) {
		fmt.Printf("  in conference %s\n", k.ConferenceID)
	}
	if given(k.RecordingID) {
		fmt.Printf("  is recorded: %s\n", k.RecordingID)
	}
	if q := k.Quality; q != nil {
		fmt.Printf("  quality: MOS %.1f, %.1f %% lost, round trip %.0f ms\n", q.MOS, q.Loss, q.RTT)
	}
	fmt.Printf("  SIP Call-ID %s\n", plain(k.SIPCallID))
	return nil
}

type explainCall struct{ oneCall }

// Run prints the server's explanation, from the log.
func (c *explainCall) Run() error {
	id, err := c.find()
	if err != nil {
		return err
	}
	var e struct {
		Summary string
		Why     []struct {
			Text, By string
			Seq      int64
			At       time.Time `json:"tm_event"`
		}
	}
	if printed, err := c.ask(http.MethodGet, "/calls/"+id+"/explain", nil, &e); err != nil || printed {
		return err
	}
	fmt.Println(plain(e.Summary))
	fmt.Println()
	var rows [][]string
	for _, w := range e.Why {
		rows = append(rows, []string{strconv.FormatInt(w.Seq, 10), w.At.UTC().Format("2006-01-02T15:04:05.000Z"), w.Text, w.By})
	}
	return table("SEQ AT WHAT BY", rows, "the log tells nothing of it")
}

type hangupCall struct{ oneCall }

// Run hangs up.
func (c *hangupCall) Run() error {
	id, err := c.find()
	if err != nil {
		return err
	}
	if printed, err := c.ask(http.MethodPost, "/calls/"+id+"/hangup", nil, nil); err != nil || printed {
		return err
	}
	report("call %s is hung up", id)
	return nil
}

type callOut struct {
	asking
	To         []string `arg:"" help:"Whom: a number as +4930123456, a SIP address as ada@192.0.2.7, or the name of an extension."`
	Conference string   `help:"Bring whoever answers into this conference: id, the beginning of it, dial-in, or name." placeholder:"CONFERENCE"`
	Say        string   `help:"Say this first." placeholder:"TEXT"`
	Language   string   `help:"Language of --say." default:"en-US"`
	From       string   `help:"Who calls: a number, or a SIP address." placeholder:"ADDRESS"`
	Timeout    int      `help:"Seconds to let it ring; 0: the server's own." placeholder:"SECONDS"`
}

// Run places the calls and prints their ids.
func (c *callOut) Run() error {
	if c.Conference == "" && c.Say == "" {
		return Usage{fmt.Errorf("what is to happen with whoever answers: give --conference, --say, or both")}
	}
	actions := []map[string]any{}
	if c.Say != "" {
		actions = append(actions, map[string]any{"type": "talk", "option": map[string]any{"text": c.Say, "language": c.Language}})
	}
	if c.Conference != "" {
		id, err := (&one{asking: c.asking, Conference: c.Conference}).find()
		if err != nil {
			return err
		}
		actions = append(actions, map[string]any{"type": "conference_join", "option": map[string]any{"conference_id": id}})
	}
	to := []any{}
	for _, x := range c.To {
		to = append(to, callee(x))
	}
	body := map[string]any{"destinations": to, "actions": actions, "timeout": c.Timeout}
	if c.From != "" {
		body["source"] = callee(c.From)
	}
	var placed struct {
		Calls, Groupcalls []struct{ ID string }
	}
	if printed, err := c.ask(http.MethodPost, "/calls", body, &placed); err != nil || printed {
		return err
	}
	for _, x := range placed.Calls {
		fmt.Println(x.ID)
	}
	for _, x := range placed.Groupcalls {
		fmt.Println("groupcall", x.ID)
	}
	return nil
}

// callee is an address as the API wants it.
func callee(word string) map[string]string {
	kind := "extension"
	switch {
	case strings.HasPrefix(word, "sip:"), strings.HasPrefix(word, "sips:"), strings.Contains(word, "@"):
		kind, word = "sip", strings.TrimPrefix(word, "sip:")
	case strings.HasPrefix(word, "+"):
		kind = "tel"
	}
	return map[string]string{"type": kind, "target": word}
}
