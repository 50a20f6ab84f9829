package run

import (
	"time"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
)

// The limits of a run.
const (
	ActionsMax   = 100       // executed actions
	turnsMax     = 1000      // moves from one action to the next without a step
	framesMax    = 16        // lists in each other
	shownMax     = 128 << 10 // bytes of the options in Executed
	CallsMax     = 10        // calls, each placed by a flow of the one before
	CompletesMax = 5         // flows that follow each other by on_complete_flow_id
)

// Env is what a run knows of where it runs. Ids are "" for none.
type Env struct {
	ActiveflowID, FlowID  string
	ReferenceType         string // call, api, ... ; only on a call there is somebody to talk to
	ReferenceID           string
	ReferenceActiveflowID string // whose end started this one
	ReferenceData         string
	OnCompleteFlowID      string
	CompleteCount         int // how many runs came before by on_complete_flow_id
	CallCount             int // how many calls came before, each placed by a flow of the one before

	Direction           call.Direction
	MasterCallID        string
	Source, Destination call.Address

	Variables   map[string]string      // of whoever starts the run; names of the server's are left out
	Unavailable map[action.Type]string // types that fail here, with the reason
}

// Run is one walk through a flow. Its JSON is the store's form. Use it from one goroutine.
type Run struct {
	Env      Env
	Vars     Variables
	Frames   []Frame // the lowest first
	Executed []Visit // what has been executed, in order
	Waiting  Waiting // for what
	Step     Step    // the last one that Next returned
	Shown    int     // bytes of the options in Executed
	Typed    bool    // there are digits that no digits_receive has collected

	leapt bool // a jump has set the present action; never true between two steps
}

// Waiting says whose result Next gets.
type Waiting string

// What a run waits for.
const (
	ForStart    Waiting = ""
	ForAction   Waiting = "action"
	ForAnnounce Waiting = "announce"
	ForNothing  Waiting = "nothing" // it is over
)

// Kind of a frame: what pushed it.
type Kind string

// The kinds of frames.
const (
	Main     Kind = "flow"
	Fetched  Kind = "fetch"
	Called   Kind = "fetch_flow"
	PreFlow  Kind = "pre_flow" // with entering the mix as its last action
	PostFlow Kind = "post_flow"
)

// Frame is a list of actions on the stack. When it is exhausted, the one below goes on after the action that pushed it.
type Frame struct {
	Kind        Kind
	FlowID      string `json:",omitempty"`
	Actions     []flow.Action
	At          int              // index of the present action, -1 before the first
	Left        map[string]int64 `json:",omitempty"` // jumps that gotos have left
	Participant string           `json:",omitempty"` // of a PreFlow: the conferencecall whose way into the mix this is
	Conference  string           `json:",omitempty"` // likewise, the conference
}

// Visit is an executed action and what came of it. Its option is {"omitted_bytes": n} when those of the run are too long in all.
type Visit struct {
	Action  flow.Action
	Frame   Kind
	Outcome Outcome
	Reason  string // stable, of a failure or of what was skipped
}

// Outcome says what came of an action.
type Outcome string

// The outcomes. An action that still runs has none.
const (
	Running Outcome = ""
	Done    Outcome = "done"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // it does not go with what the run is on
)

// StepKind says what the executor has to do.
type StepKind string

// The kinds of steps.
const (
	Do       StepKind = "do"
	Announce StepKind = "announce"
	Over     StepKind = "over"
)

// Step is what comes next.
type Step struct {
	Kind        StepKind
	Action      flow.Action   // of Do: as in Executed, variables in their places
	Option      action.Option `json:"-"` // of Do: the action's option, read
	Have        string        `json:",omitempty"`
	Participant string        `json:",omitempty"` // of confbridge_join: the conferencecall that enters, "" for none
	Reason      string        `json:",omitempty"` // of Announce
	End         End           // of Over
}

// End says how a run ended.
type End struct {
	Reason     string            // finished, stopped, hangup, call_ended, lost, or the upper-snake reason of a failure
	Hangup     call.HangupReason // with which the call is to be hung up
	HangupLike string            // id of the call whose reason is to be taken instead, "" for none
	OnComplete *Complete         `json:",omitempty"` // what follows
	TooDeep    bool              `json:",omitempty"` // on_complete_flow_id was not followed: CompletesMax
}

// Complete is the run that follows a run.
type Complete struct {
	FlowID string
	Count  int // for its Env.CompleteCount
}

// The reasons of ends that are no failures.
const (
	Finished  = "finished"
	Stopped   = "stopped"
	HungUp    = "hangup"
	CallEnded = "call_ended"
	Lost      = "lost"
)

// Result is what came of a step. The zero Result with its time is success.
type Result struct {
	At         time.Time
	Failed     string            // upper-snake reason; "" for done
	Digits     string            // of digits_receive
	Actions    []flow.Action     // read, see the table of the package
	FlowID     string            // whose actions they are, if a flow's
	Conference Conference        // of conference_join and confbridge_join
	Variables  map[string]string // the server's variables that the step has set
	CallStatus call.Status       // now; "" as before
	Hangup     call.HangupReason // end the run and the call with it; "" for no
}

// Conference is what a run learns of the conference that its call enters or has left.
type Conference struct {
	ID, Name, Participant string
	Result                string // why the call left: left, kicked, terminated, timeout, peer_left, lost
}

// Start returns a run that is about to execute the actions. Variables over the limits are refused (INVALID_VARIABLES).
func Start(env Env, actions []flow.Action) (*Run, error) {
	vars, err := env.variables()
	if err != nil {
		return nil, err
	}
	env.Variables = nil
	return &Run{Env: env, Vars: vars, Frames: []Frame{{Kind: Main, FlowID: env.FlowID, Actions: actions, At: -1}}}, nil
}

// Current returns the action that runs: of no type before the start and after the end, with the id that stands for that.
func (r *Run) Current() flow.Action {
	switch {
	case r.Waiting == ForStart:
		return flow.Action{ID: flow.StartID}
	case r.Waiting == ForNothing:
		return flow.Action{ID: flow.FinishID}
	case len(r.Executed) == 0:
		return flow.Action{}
	}
	return r.Executed[len(r.Executed)-1].Action
}

// Missing returns the types that no part of this version can perform, with the reason for Env.Unavailable.
func Missing() map[action.Type]string {
	const reason = "TRANSCRIBE_UNAVAILABLE" // there is no recogniser
	return map[action.Type]string{action.TranscribeStart: reason, action.TranscribeStop: reason, action.TranscribeRecording: reason}
}
