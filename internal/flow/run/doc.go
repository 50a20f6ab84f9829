// Package run walks through a flow: a stack machine that says which step comes next and takes what came of it. It is a value that can be stored between
// any two steps; it performs nothing itself, starts no goroutine and reads no clock.
//
// # Steps
//
// Whoever owns the call (the executor) asks Next for a step, performs it and gives the Result to the following Next. There are three kinds:
//
//	Do        perform Step.Option for Step.Action (table below), answer when it is done
//	Announce  tell the caller Step.Reason with a prompt, whatever prompt there is for it; answer when it has been played or could not be
//	Over      the run has ended as Step.End says: hang up an existing call; start the flow of End.OnComplete, if any. No further Next.
//
// Branches, conditions, jumps, variables, stop, empty and hangup never come as Do: the run does them itself. What a Do means, and what its Result holds besides At:
//
//	answer, beep, mute, recording_stop, external_media_start, external_media_stop   at once; Failed
//	play, talk (not async), digits_send, echo, stream_echo, sleep, block     until it is over; Failed. A digit ends a talk with digits_handle next.
//	digits_receive       collect digits, beginning with Step.Have, until Receiving.Take says complete or the duration has passed; Digits: all of them
//	conference_join      make the participant (joining); Conference, Actions of the pre-flow; Failed: refused
//	confbridge_join      enter the mix (Step.Participant says as which participant, "" for none) and stay until left;
//	                     Conference.Result, Actions of the post-flow; Failed: refused
//	connect              dial and stay until this call leaves; Hangup when the reason is to be relayed; Failed
//	call                 dial, do not wait; Failed
//	amd                  Hangup (amd) when a machine is to be hung up on; Failed
//	recording_start      Variables voipbin.recording.*; Failed
//	transcribe_*         Variables voipbin.transcribe.*; Failed
//	fetch                one HTTP request; Actions (a Fragment); Failed ends the run
//	fetch_flow           Actions and FlowID of another flow of the customer; Failed ends the run
//	webhook_send         one HTTP request; Failed is noted only
//
// Every digit that comes while a step other than digits_receive runs is told to Digits. When the owner of a conference ends a participant whose
// pre-flow still runs, the executor stops the step that it performs and calls Interrupt instead of Next. When the call ends, it calls End.
// At Over, and at an Announce that follows Interrupt, a participant that still is on its way into a conference is the executor's to end.
package run
