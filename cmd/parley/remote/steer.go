package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

type createConference struct {
	asking
	Name     string `help:"What it is called." placeholder:"NAME"`
	DialIn   string `help:"Under which name or number phones reach it." placeholder:"NAME"`
	Pin      string `help:"Digits that are asked of everybody who calls." placeholder:"DIGITS"`
	Timeout  int    `help:"Seconds after which it ends by itself; 0: never." placeholder:"SECONDS"`
	Lobby    bool   `help:"Whoever comes waits until somebody lets them in."`
	Announce bool   `help:"Tell everybody when it is recorded, before it is."`
}

// Run makes it and prints its id.
func (c *createConference) Run() error {
	body := map[string]any{"type": "conference", "name": c.Name, "dial_in": c.DialIn, "pin": c.Pin, "timeout": c.Timeout}
	if c.Lobby {
		body["admission"] = "lobby"
	}
	if c.Announce {
		body["recording_notice"] = "announce"
	}
	var k conferenceRow
	if printed, err := c.ask(http.MethodPost, "/conferences", body, &k); err != nil || printed {
		return err
	}
	fmt.Println(k.ID)
	return nil
}

// steer does something with the conference that is named, and tells of it.
func (c *one) steer(method, verb, done string) error {
	id, err := c.find()
	if err != nil {
		return err
	}
	var k conferenceRow
	if printed, err := c.ask(method, "/conferences/"+id+verb, nil, &k); err != nil || printed {
		return err
	}
	report("conference %s %s", id, done)
	return nil
}

type endConference struct {
	one
	Delete bool `help:"Take it out of lists, too."`
}

// Run ends it.
func (c *endConference) Run() error {
	if c.Delete {
		return c.steer(http.MethodDelete, "", "ends and is deleted")
	}
	return c.steer(http.MethodPost, "/terminate", "ends")
}

type lockConference struct{ one }

// Run locks it.
func (c *lockConference) Run() error { return c.steer(http.MethodPost, "/lock", "is locked") }

type unlockConference struct{ one }

// Run unlocks it.
func (c *unlockConference) Run() error { return c.steer(http.MethodPost, "/unlock", "is open") }

// somebody is a conference and, where given, one of its people.
type somebody struct {
	one
	Participant string `arg:"" optional:"" help:"Only this participant: the id or the beginning of it, or the name."`
}

// person returns the id of the participant who is meant.
func (c *one) person(word string) (string, error) {
	id, err := c.find()
	if err != nil {
		return "", err
	}
	people, err := pages[participantRow](&c.asking, "/conferences/"+id+"/conferencecalls", url.Values{"status": {"joining,joined"}}, 100_000)
	if err != nil {
		return "", err
	}
	var ids, named []string
	for _, p := range people {
		ids = append(ids, p.ID)
		if user, _, _ := strings.Cut(p.Name, "@"); p.Name == word || user == word {
			named = append(named, p.ID)
		}
	}
	if len(named) == 1 {
		return named[0], nil
	}
	if len(named) > 1 {
		return "", fmt.Errorf("%d participants are called %q: give the id ('parley conferences show %s' lists them)", len(named), word, c.Conference)
	}
	who, err := resolve("participant", word, ids)
	if err != nil {
		err = fmt.Errorf("nobody in it, or more than one, is meant by %q: 'parley conferences show %s' lists them", word, c.Conference)
	}
	return who, err
}

func (c *somebody) turn(method, all, one string) error {
	if c.Participant == "" {
		return c.steer(http.MethodPost, "/"+all, "is "+all+"d for everybody but moderators")
	}
	who, err := c.person(c.Participant)
	if err != nil {
		return err
	}
	if printed, err := c.ask(method, "/conferencecalls/"+who+"/mute", nil, nil); err != nil || printed {
		return err
	}
	report("participant %s is %s", who, one)
	return nil
}

type muteConference struct{ somebody }

// Run mutes.
func (c *muteConference) Run() error { return c.turn(http.MethodPost, "mute", "muted") }

type unmuteConference struct{ somebody }

// Run unmutes.
func (c *unmuteConference) Run() error { return c.turn(http.MethodDelete, "unmute", "heard again") }

type kickParticipant struct {
	one
	Participant string `arg:"" help:"The id or the beginning of it, or the name."`
}

// Run sends the participant away.
func (c *kickParticipant) Run() error {
	who, err := c.person(c.Participant)
	if err != nil {
		return err
	}
	if printed, err := c.ask(http.MethodDelete, "/conferencecalls/"+who, nil, nil); err != nil || printed {
		return err
	}
	report("participant %s is sent away", who)
	return nil
}

type recordConferences struct {
	Start recordStart `cmd:"" help:"Record a conference, each voice apart."`
	Stop  recordStop  `cmd:"" help:"Stop its recording; the file is made then."`
}

type recordStart struct{ one }

// Run starts the recording and prints its id.
func (c *recordStart) Run() error {
	id, err := c.find()
	if err != nil {
		return err
	}
	var k conferenceRow
	if printed, err := c.ask(http.MethodPost, "/conferences/"+id+"/recording_start", nil, &k); err != nil || printed {
		return err
	}
	report("conference %s is recorded", id)
	fmt.Println(k.RecordingID)
	return nil
}

type recordStop struct{ one }

// Run stops the recording.
func (c *recordStop) Run() error {
	return c.steer(http.MethodPost, "/recording_stop", "is not recorded any more")
}
