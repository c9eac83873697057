// Package operator knows what each Airflow operator takes and does. It does
// not know graphs, schedules or retries, and renders no template: it is given
// rendered arguments and answers with an outcome.
//
// What an operator takes is a row of data, a [Spec], in data/SERVICE.json;
// [Default] reads them all. What it does is of three kinds:
//
//   - A [Runner] acts in a process of its own. BashOperator and
//     PythonOperator run the user's code. An AWS operator runs this very
//     binary inside the cage ("fairlead operator", which calls [Perform]), so
//     that its attempt is as isolated as any other and outlives the server.
//   - A [Poker] looks whether something has happened yet. It runs in the
//     server, where waiting costs a timer.
//   - A Noop has nothing to do.
//
// An operator that is known but cannot be run by this version has a runner or
// poker that fails for good and says so.
//
// # The form of the data
//
// Each file is one object with the members "service" and "operators", a list
// of objects:
//
//	class      the class name
//	path       the usual import path; "also" lists others
//	sensor     true for a sensor
//	abstract   true for a base class
//	noop       true for an operator with nothing to carry out
//	open       true if arguments beyond the listed ones are to be let through
//	poke_only  true for a sensor that refuses mode: reschedule
//	suffixes   endings that make a templated value the name of a template file
//	defaults   a sensor's own defaults for what all sensors take
//	args       the arguments, in the order of the constructor
//
// and each argument has name, type, required, template, nullable, default,
// enum and unless, which mean what the fields of [Arg] say. Arguments that
// every task, sensor or AWS operator takes (deferrable, region_name, verify,
// botocore_config, aws_conn_id, poke_interval and so on) are not listed.
//
// What an operator does may stand beside its arguments, so that one
// interpreter can carry it out; no file has these members yet, and a member
// that the reader does not know is refused. The form agreed on:
//
//	call     "service:Operation"
//	input    the request: a JSON value in which "$name" stands for the
//	         argument's value (left out when None) and "$$" for a dollar sign
//	spread   names of dict arguments whose members are laid over the input
//	ignore   error codes that count as success
//	output   path into the reply that gives return_value; "." is all of it
//	push     further XCom keys, each with a path into the reply
//	resume   path into the reply of the id to keep, so that a wait can be
//	         taken up again without a second call; "$resume" in later inputs
//	wait     {if, call, input, delay, attempts, accept}: if names the boolean
//	         argument that asks for it; delay (seconds) and attempts are
//	         numbers or "$name"; accept lists {path, is, error, then, message}
//	         as in botocore's waiters, the first that matches deciding:
//	         success, failure or retry
//	cancel   {call, input}: made when the attempt is stopped
//	iam      the actions that the execution role needs
package operator
