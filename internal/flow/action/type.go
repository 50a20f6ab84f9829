package action

import (
	"slices"

	"parley/internal/fault"
)

// Type names what an action does.
type Type string

// The types of actions that there are.
const (
	AMD                 Type = "amd"
	Answer              Type = "answer"
	Beep                Type = "beep"
	Block               Type = "block"
	Branch              Type = "branch"
	Call                Type = "call"
	ConditionCallDigits Type = "condition_call_digits"
	ConditionCallStatus Type = "condition_call_status"
	ConditionDatetime   Type = "condition_datetime"
	ConditionVariable   Type = "condition_variable"
	ConfbridgeJoin      Type = "confbridge_join"
	ConferenceJoin      Type = "conference_join"
	Connect             Type = "connect"
	DigitsReceive       Type = "digits_receive"
	DigitsSend          Type = "digits_send"
	Echo                Type = "echo"
	Empty               Type = "empty"
	ExternalMediaStart  Type = "external_media_start"
	ExternalMediaStop   Type = "external_media_stop"
	Fetch               Type = "fetch"
	FetchFlow           Type = "fetch_flow"
	Goto                Type = "goto"
	Hangup              Type = "hangup"
	Mute                Type = "mute"
	Play                Type = "play"
	RecordingStart      Type = "recording_start"
	RecordingStop       Type = "recording_stop"
	Sleep               Type = "sleep"
	Stop                Type = "stop"
	StreamEcho          Type = "stream_echo"
	Talk                Type = "talk"
	TranscribeRecording Type = "transcribe_recording"
	TranscribeStart     Type = "transcribe_start"
	TranscribeStop      Type = "transcribe_stop"
	VariableSet         Type = "variable_set"
	WebhookSend         Type = "webhook_send"
)

// Place says what a type needs to run on.
type Place uint8

// The places.
const (
	Anywhere Place = iota
	OnCall         // needs a call's media or signalling
	OffCall        // only where there is no call
)

// shape is what is known of a type.
type shape struct {
	place Place
	make  func() Option // a fresh option to read into
}

func none() Option { return &None{} }

// shapes are the types that can be run.
var shapes = map[Type]shape{
	AMD:                 {OnCall, func() Option { return &Detection{} }},
	Answer:              {OnCall, none},
	Beep:                {OnCall, none},
	Block:               {OffCall, none},
	Branch:              {Anywhere, func() Option { return &Branching{} }},
	Call:                {Anywhere, func() Option { return &Calling{} }},
	ConditionCallDigits: {OnCall, func() Option { return &IfDigits{} }},
	ConditionCallStatus: {OnCall, func() Option { return &IfStatus{} }},
	ConditionDatetime:   {Anywhere, func() Option { return &IfTime{} }},
	ConditionVariable:   {Anywhere, func() Option { return &IfVariable{} }},
	ConfbridgeJoin:      {OnCall, func() Option { return &Joining{} }},
	ConferenceJoin:      {OnCall, func() Option { return &Joining{} }},
	Connect:             {OnCall, func() Option { return &Connecting{} }},
	DigitsReceive:       {OnCall, func() Option { return &Receiving{} }},
	DigitsSend:          {OnCall, func() Option { return &Sending{} }},
	Echo:                {OnCall, func() Option { return &Lasting{Duration: echoDefault} }},
	Empty:               {Anywhere, none},
	ExternalMediaStart:  {OnCall, func() Option { return &MediaLink{} }},
	ExternalMediaStop:   {OnCall, none},
	Fetch:               {Anywhere, func() Option { return &Fetching{} }},
	FetchFlow:           {Anywhere, func() Option { return &Fetching{} }},
	Goto:                {Anywhere, func() Option { return &Jump{} }},
	Hangup:              {OnCall, func() Option { return &Ending{} }},
	Mute:                {OnCall, func() Option { return &Muting{} }},
	Play:                {OnCall, func() Option { return &Playing{} }},
	RecordingStart:      {OnCall, func() Option { return &Recording{} }},
	RecordingStop:       {OnCall, none},
	Sleep:               {Anywhere, func() Option { return &Lasting{} }},
	Stop:                {Anywhere, none},
	StreamEcho:          {OnCall, func() Option { return &Lasting{Duration: echoDefault} }},
	Talk:                {OnCall, func() Option { return &Talking{} }},
	TranscribeRecording: {Anywhere, func() Option { return &Transcribing{} }},
	TranscribeStart:     {OnCall, func() Option { return &Transcribing{} }},
	TranscribeStop:      {OnCall, none},
	VariableSet:         {Anywhere, func() Option { return &Setting{} }},
	WebhookSend:         {Anywhere, func() Option { return &Webhook{} }},
}

// foreign are the original's types that need products which this server does not have.
var foreign = []Type{
	"ai_summary", "ai_talk", "ai_task", "case_create", "conversation_send", "email_send", "message_send", "queue_join",
}

// Check refuses a type that cannot be run: one of a product that is not here as ACTION_UNSUPPORTED, any other as INVALID_ACTION_TYPE.
func (t Type) Check() *fault.Error {
	switch _, known := shapes[t]; {
	case known:
		return nil
	case slices.Contains(foreign, t):
		return fault.New(fault.Invalid, "ACTION_UNSUPPORTED",
			"%q needs a product that this server does not have (queues, assistants, e-mail, messages); take the action out, or reach that product with webhook_send", t)
	case t == "":
		return fault.New(fault.Invalid, "INVALID_ACTION_TYPE", "an action needs a type")
	}
	return fault.New(fault.Invalid, "INVALID_ACTION_TYPE", "%q is no type of action", clip(string(t)))
}

// Place returns what the type needs to run on.
func (t Type) Place() Place { return shapes[t].place }

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
