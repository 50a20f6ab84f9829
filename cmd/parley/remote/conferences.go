package remote

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Conferences are the commands about conferences.
type Conferences struct {
	List   listConferences   `cmd:"" default:"withargs" help:"List the conferences: who is in them, since when, recorded or not."`
	Show   showConference    `cmd:"" help:"Show one conference with its people, and who speaks just now."`
	Create createConference  `cmd:"" help:"Make a conference."`
	End    endConference     `cmd:"" help:"End a conference: everybody is hung up."`
	Lock   lockConference    `cmd:"" help:"Let nobody in any more but moderators."`
	Unlock unlockConference  `cmd:"" help:"Open a locked conference."`
	Mute   muteConference    `cmd:"" help:"Mute everybody but moderators, or one participant."`
	Unmute unmuteConference  `cmd:"" help:"Undo a mute."`
	Kick   kickParticipant   `cmd:"" help:"Send one participant away."`
	Record recordConferences `cmd:"" help:"Start or stop a recording."`
}

// conferenceRow is what the tables tell of a conference.
type conferenceRow struct {
	ID, Name, Status, Admission string
	Type                        string
	DialIn                      string     `json:"dial_in"`
	DirectHash                  string     `json:"direct_hash"`
	RecordingID                 string     `json:"recording_id"`
	People                      int        `json:"conferencecall_count"`
	Created                     time.Time  `json:"tm_create"`
	Ended                       *time.Time `json:"tm_end"`
	EndReason                   string     `json:"end_reason"`
	Timeout                     int
}

func (c *conferenceRow) recording() string {
	if given(c.RecordingID) {
		return "yes"
	}
	return ""
}

// participantRow is what the tables tell of a participant.
type participantRow struct {
	ID, Name, Role, Status, Waiting string
	ReferenceID                     string `json:"reference_id"`
	Muted, Deaf, Held, Speaking     bool
	LeaveReason                     string    `json:"leave_reason"`
	Created                         time.Time `json:"tm_create"`
	Level                           *int
	Quality                         struct {
		MOS *float64 `json:"mos"`
	}
	Media struct{ Codec string }
}

func (p *participantRow) state() string {
	words := []string{p.Status}
	if p.Waiting != "" {
		words = append(words, "waits:"+p.Waiting)
	}
	if p.LeaveReason != "" {
		words = append(words, p.LeaveReason)
	}
	for _, w := range []struct {
		is   bool
		word string
	}{{p.Muted, "muted"}, {p.Deaf, "deaf"}, {p.Held, "held"}, {p.Speaking, "SPEAKS"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}

type listConferences struct {
	asking
	All  bool `help:"Those between two (connect) and those that are over, too."`
	Most int  `help:"At most so many." default:"1000"`
}

// Run prints a line for each conference.
func (c *listConferences) Run() error {
	q := url.Values{}
	if c.All {
		q.Set("type", "all")
	}
	all, err := pages[raw[conferenceRow]](&c.asking, "/conferences", q, c.Most)
	if err != nil {
		return err
	}
	if !c.All {
		running := all[:0]
		for _, x := range all {
			if x.T.Status != "terminated" {
				running = append(running, x)
			}
		}
		all = running
	}
	if c.JSON {
		return printJSON(all)
	}
	var rows [][]string
	for _, x := range all {
		k := x.T
		status := k.Status
		if k.EndReason != "" {
			status += " (" + k.EndReason + ")"
		}
		rows = append(rows, []string{k.ID, k.DialIn, strconv.Itoa(k.People), age(k.Created, time.Now()), status, k.Admission, k.recording(), k.Name})
	}
	return table("CONFERENCE DIAL-IN PEOPLE AGE STATUS ADMISSION RECORDED NAME", rows, "there is no conference: 'parley conferences create --dial-in NAME' makes one")
}

// one names a conference on the command line.
type one struct {
	asking
	Conference string `arg:"" help:"Its id or the beginning of it, its dial-in, or its name."`
}

// find returns the id of the conference that is meant.
func (c *one) find() (string, error) {
	word := strings.TrimPrefix(c.Conference, "sip:")
	if uuid.Validate(word) == nil && len(word) == 36 {
		return strings.ToLower(word), nil // no need to look through all
	}
	all, err := pages[conferenceRow](&c.asking, "/conferences", url.Values{"type": {"all"}}, 1_000_000)
	if err != nil {
		return "", err
	}
	var ids, named []string
	for _, k := range all {
		ids = append(ids, k.ID)
		if k.Status != "terminated" && (k.DialIn == word || k.Name == word || k.DirectHash == word) {
			named = append(named, k.ID)
		}
	}
	if len(named) == 1 {
		return named[0], nil
	}
	if len(named) > 1 {
		return "", fmt.Errorf("%d conferences are called %q: give the id", len(named), word)
	}
	return resolve("conference", word, ids)
}

type showConference struct {
	one
	All bool `help:"Also who has left."`
}

// Run prints the conference and its people.
func (c *showConference) Run() error {
	id, err := c.find()
	if err != nil {
		return err
	}
	var k raw[conferenceRow]
	text, err := c.fetch(http.MethodGet, "/conferences/"+id, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &k); err != nil {
		return fmt.Errorf("read conference: %w", err)
	}
	q := url.Values{}
	if !c.All {
		q.Set("status", "joining,joined,leaving")
	}
	people, err := pages[raw[participantRow]](&c.asking, "/conferences/"+id+"/conferencecalls", q, 100_000)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"conference": k, "conferencecalls": people})
	}
	k.T.print()
	var rows [][]string
	for _, x := range people {
		rows = append(rows, x.T.row())
	}
	return table("PARTICIPANT NAME ROLE AGE STATE LEVEL MOS CODEC CALL", rows, "nobody is in it")
}

// print tells of the conference itself.
func (c *conferenceRow) print() {
	fmt.Printf("%s  %s\n", c.ID, plain(c.Name))
	fmt.Printf("  %s %s since %s (%s), admission %s, %d in it\n", c.Type, c.Status, c.Created.UTC().Format(time.RFC3339), age(c.Created, time.Now()), c.Admission, c.People)
	if c.EndReason != "" {
		fmt.Printf("  ended: %s\n", c.EndReason)
	}
	if c.Timeout > 0 && c.Ended == nil {
		fmt.Printf("  ends by itself at %s\n", c.Created.Add(time.Duration(c.Timeout)*time.Second).UTC().Format(time.RFC3339))
	}
	fmt.Printf("  reached by sip:%s@HOST", cmp.Or(c.DialIn, c.ID))
	if c.DirectHash != "" {
		fmt.Printf(", and without a password by sip:%s@HOST", c.DirectHash)
	}
	fmt.Println()
	if given(c.RecordingID) {
		fmt.Printf("  is recorded: %s\n", c.RecordingID)
	}
	fmt.Println()
}

func (p *participantRow) row() []string {
	level, mos := "", ""
	if p.Level != nil {
		level = strconv.Itoa(*p.Level) + " dB"
	}
	if p.Quality.MOS != nil {
		mos = strconv.FormatFloat(*p.Quality.MOS, 'f', 1, 64)
	}
	return []string{p.ID, p.Name, p.Role, age(p.Created, time.Now()), p.state(), level, mos, p.Media.Codec, p.ReferenceID}
}

// report tells on standard error what was done; standard output is for what was asked for.
func report(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
