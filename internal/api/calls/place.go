package calls

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/line"
	"parley/internal/store"
	"parley/internal/trunk/route"
	"parley/internal/wire"
)

// Limits of the variables of an order; reserved are those of the server.
const (
	variablesMax     = 100
	variableBytesMax = 32 << 10
	variablesBytes   = 64 << 10
	reserved         = "voipbin."
)

// order is what POST /calls and POST /groupcalls take.
type order struct {
	FlowID       string            `json:"flow_id"`
	Actions      json.RawMessage   `json:"actions"`
	Source       call.Address      `json:"source"`
	Destinations []call.Address    `json:"destinations"`
	Anonymous    string            `json:"anonymous"`
	Variables    map[string]string `json:"variables"`
	RingMethod   string            `json:"ring_method"`
	AnswerMethod string            `json:"answer_method"`
	Timeout      int64             `json:"timeout"` // seconds to wait for an answer; 0: the server's own
}

// timeoutMax is the longest time to wait for an answer, in seconds.
const timeoutMax = 600

// placed is what has become of an order.
type placed struct {
	Calls  []call.Resource  `json:"calls"`
	Groups []group.Resource `json:"groupcalls"`
}

func placedOf(p line.Placed) placed {
	out := placed{Calls: []call.Resource{}, Groups: []group.Resource{}}
	for i := range p.Calls {
		out.Calls = append(out.Calls, p.Calls[i].Resource())
	}
	for i := range p.Groups {
		out.Groups = append(out.Groups, p.Groups[i].Resource())
	}
	return out
}

func (c *calls) place(r *rest.Request) (rest.Reply, error) {
	o, err := c.read(r)
	if err != nil {
		return rest.Reply{}, err
	}
	p, err := c.o.Exchange.Place(r.Context(), o)
	if err != nil {
		return rest.Reply{}, named(err)
	}
	return rest.Reply{Body: placedOf(p)}, nil
}

func (c *calls) placeGroup(r *rest.Request) (rest.Reply, error) {
	o, err := c.read(r)
	if err != nil {
		return rest.Reply{}, err
	}
	o.Group = true
	p, err := c.o.Exchange.Place(r.Context(), o)
	if err != nil {
		return rest.Reply{}, named(err)
	}
	if len(p.Groups) != 1 {
		return rest.Reply{}, fmt.Errorf("place groupcall: %d groupcalls were made", len(p.Groups))
	}
	return groupReply(p.Groups[0], nil)
}

// read makes an order of the body.
func (c *calls) read(r *rest.Request) (o line.Order, err error) {
	var in order
	if err := r.Parse(&in); err != nil {
		return o, err
	}
	if err := c.ready(); err != nil {
		return o, err
	}
	if err := in.check(); err != nil {
		return o, err
	}
	o = line.Order{
		CustomerID: r.CustomerID, Source: in.Source, Destinations: in.Destinations, Variables: in.Variables, Anonymous: in.Anonymous,
		RingMethod: in.RingMethod, AnswerMethod: in.AnswerMethod, Timeout: time.Duration(in.Timeout) * time.Second,
	}
	o.FlowID, o.Actions, err = work(r, in.FlowID, in.Actions)
	return o, err
}

func (in *order) check() (err error) {
	if err := checkSource(&in.Source); err != nil {
		return err
	}
	if n := len(in.Destinations); n == 0 || n > group.Most {
		return invalid("destinations", "there are %d; give 1 to %d", n, group.Most)
	}
	for i := range in.Destinations {
		if err := checkDestination(fmt.Sprintf("destinations[%d]", i), &in.Destinations[i]); err != nil {
			return err
		}
	}
	if in.Anonymous, err = wire.OneOf(in.Anonymous, "", "yes", "no", "auto"); err != nil {
		return invalid("anonymous", "%v", err)
	}
	if _, err = wire.OneOf(in.RingMethod, "", string(group.RingAll), string(group.Linear)); err != nil {
		return invalid("ring_method", "%v", err)
	}
	if _, err = wire.OneOf(in.AnswerMethod, "", string(group.HangupOthers)); err != nil {
		return invalid("answer_method", "%v", err)
	}
	if in.Timeout < 0 || in.Timeout > timeoutMax {
		return invalid("timeout", "%d is not 0 (the server's own) to %d seconds", in.Timeout, timeoutMax)
	}
	return in.checkVariables()
}

func checkSource(a *call.Address) error {
	*a = route.Typed(*a)
	if err := a.Check(); err != nil {
		return invalid("source", "%v", err)
	}
	return nil
}

// checkDestination refuses what no call can be made to; the type is filled in when it is left out.
func checkDestination(field string, a *call.Address) error {
	*a = route.Typed(*a)
	err := a.Check()
	if err != nil {
		return at(field, fault.New(fault.Invalid, "INVALID_DESTINATION", "%s: %v", field, err))
	}
	_, err = route.Parse(*a)
	if f, ok := fault.Of(err); ok {
		return at(field, fault.New(f.Kind, f.Reason, "%s: %s", field, f.Message))
	}
	return err
}

// checkVariables drops what is the server's own, and refuses too many and too large ones.
func (in *order) checkVariables() error {
	sum := 0
	for name, value := range in.Variables {
		if strings.HasPrefix(name, reserved) {
			delete(in.Variables, name)
			continue
		}
		if len(value) > variableBytesMax {
			return badVariables("%q has %d bytes; at most %d are taken", name, len(value), variableBytesMax)
		}
		if name == "" || !utf8.ValidString(name) || strings.ContainsRune(name+value, 0) {
			return badVariables("a name is empty, or there is a NUL in %q", name)
		}
		sum += len(name) + len(value)
	}
	switch {
	case len(in.Variables) > variablesMax:
		return badVariables("there are %d; at most %d are taken", len(in.Variables), variablesMax)
	case sum > variablesBytes:
		return badVariables("they have %d bytes in all; at most %d are taken", sum, variablesBytes)
	}
	return nil
}

func badVariables(format string, args ...any) error {
	return at("variables", fault.New(fault.Invalid, "INVALID_VARIABLES", "variables: "+format, args...))
}

// work reads what a call is to do when it is answered: a flow of the customer's, or a list of actions; nothing is neither.
func work(r *rest.Request, flowID string, actions json.RawMessage) (string, []byte, error) {
	id, err := wire.OptionalUUID(flowID)
	if err != nil {
		return "", nil, invalid("flow_id", "%v", err)
	}
	list, err := flow.ReadActions(actions, flow.Reading{NewID: uuid.NewString})
	if err != nil {
		if r := (*flow.Refusal)(nil); errors.As(err, &r) {
			return "", nil, at(r.Place, err)
		}
		return "", nil, err
	}
	switch {
	case id != "" && len(list) > 0:
		return "", nil, invalid("actions", "give flow_id or actions, not both")
	case id != "":
		return id, nil, known(r, id)
	case len(list) == 0:
		return "", nil, nil
	}
	return "", actions, nil
}

// known refuses a flow that the customer does not have.
func known(r *rest.Request, id string) error {
	rec, err := r.OwnedByID(store.Flow, id)
	if err == nil && rec.Deleted {
		err = rest.Unknown(store.Flow)
	}
	return err
}

// guest is what POST /conferences/{id}/conferencecalls takes.
type guest struct {
	Destination call.Address `json:"destination"`
	Source      call.Address `json:"source"`
	Anonymous   string       `json:"anonymous"`
	Name        string       `json:"name"`
	Role        string       `json:"role"`
	Muted       bool         `json:"muted"`
	PreFlowID   string       `json:"pre_flow_id"`
	Timeout     int64        `json:"timeout"`
}

// brought is the answer: the participant, when there is one before somebody answers, and the calls.
type brought struct {
	*conference.ParticipantResource
	placed
}

// bring dials somebody and adds whoever answers to a conference.
func (c *calls) bring(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	if err := c.ready(); err != nil {
		return rest.Reply{}, err
	}
	var in guest
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	o, err := in.order(r, rec.ID)
	if err != nil {
		return rest.Reply{}, err
	}
	p, err := c.o.Exchange.Place(r.Context(), o)
	if err != nil {
		return rest.Reply{}, named(err)
	}
	out := brought{placed: placedOf(p)}
	if len(p.Participants) > 0 {
		rec, err := r.OwnedByID(store.Conferencecall, p.Participants[0])
		if err != nil {
			return rest.Reply{}, err
		}
		who, err := rest.Read[conference.Participant](rec)
		if err != nil {
			return rest.Reply{}, err
		}
		resource := who.Resource()
		out.ParticipantResource = &resource
	}
	return rest.Reply{Body: out}, nil
}

func (in *guest) order(r *rest.Request, conferenceID string) (o line.Order, err error) {
	if err := checkSource(&in.Source); err != nil {
		return o, err
	}
	if err := checkDestination("destination", &in.Destination); err != nil {
		return o, err
	}
	if to := in.Destination; to.Type == route.Conference && strings.EqualFold(to.Target, conferenceID) {
		return o, at("destination", fault.New(fault.Conflict, "CONFERENCE_LINK_LOOP", "destination: a conference cannot be linked with itself"))
	}
	if in.Anonymous, err = wire.OneOf(in.Anonymous, "", "yes", "no", "auto"); err != nil {
		return o, invalid("anonymous", "%v", err)
	}
	in.Name = cmp.Or(in.Name, in.Destination.TargetName)
	if err := wire.Text(in.Name, 255); err != nil {
		return o, invalid("name", "%v", err)
	}
	role, err := wire.OneOf(conference.Role(in.Role), "", conference.Moderator, conference.Member, conference.Listener)
	if err != nil {
		return o, invalid("role", "%v", err)
	}
	if in.Timeout < 0 || in.Timeout > timeoutMax {
		return o, invalid("timeout", "%d is not 0 (the server's own) to %d seconds", in.Timeout, timeoutMax)
	}
	pre, err := wire.OptionalUUID(in.PreFlowID)
	if err != nil {
		return o, invalid("pre_flow_id", "%v", err)
	}
	if pre != "" {
		if err := known(r, pre); err != nil {
			return o, err
		}
	}
	return line.Order{
		CustomerID: r.CustomerID, Source: in.Source, Destinations: []call.Address{in.Destination}, Anonymous: in.Anonymous,
		Timeout: time.Duration(in.Timeout) * time.Second,
		Join:    &line.Joining{ConferenceID: conferenceID, Name: in.Name, Role: string(role), Muted: in.Muted, PreFlowID: pre},
	}, nil
}

// at names the field in the details of a refusal.
func at(field string, err error) error { return web.Detail(err, map[string]any{"field": field}) }

func invalid(field, format string, args ...any) error {
	return at(field, fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...)))
}
