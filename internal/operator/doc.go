// Package operator knows what each Airflow operator takes and does. It does
// not know graphs, schedules or retries, and renders no template: it is given
// rendered arguments and answers with an outcome.
//
// All that is known of an operator stands once, as a row in data/SERVICE.json,
// a [Spec]; [Default] reads them all. There are four kinds:
//
//   - A [Runner] acts in a process of its own. BashOperator and
//     PythonOperator run the user's code. An AWS operator runs this very
//     binary inside the cage ("fairlead operator", which calls [Perform]), so
//     that its attempt is as isolated as any other and outlives the server.
//   - A [Waiter] is a Runner whose attempt may go on after its process: what
//     the process started elsewhere, such as a job, is waited for in the
//     server, at the price of a timer. What it reported is saved with the
//     attempt before the first look, so that no restart starts it twice.
//   - A [Poker], a sensor, looks whether something has happened yet. It runs
//     in the server too.
//   - A Noop has nothing to do.
//
// # What an operator takes
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
// # What an operator does
//
//	do       the steps, in order
//	output   the result, return_value, once all steps are done; None is none
//	push     further XComs then, by key
//	cancel   steps that end what goes on elsewhere, when the attempt is ended
//	         while it waits, or told to while it acts; a step that needs a
//	         result that has not come to be is left out
//	iam      the actions that the execution role needs
//	pulls    XComs that are read as if they were arguments, before the first
//	         wait: {key: the argument that names the task}
//
// A [Step] does one thing; "if" leaves it out unless an expression is true,
// and "each" with "item" does it for each element of a list:
//
//	call    "service:Operation", with the Python SDK's names. input is the
//	        request; spread lists mappings laid over it. The reply is kept as
//	        the operation's name, or as "as" says. ignore lists errors that
//	        leave the result None: a code, or {code, says} with a part of the
//	        message; "*" is any code. retry {errors, attempts, delay} calls
//	        again. pages {next, send, items} joins the pages of a list.
//	wait    looks until it is decided; only for operators. call and input, or
//	        code; delay (seconds, 30 if absent) and attempts (no limit if
//	        absent or 0); first, a pause before the first look; late, the
//	        message when attempts are used up (pass: true makes that a
//	        success); show, the path of the state for the log; accept; logs,
//	        streams of CloudWatch that are copied into the task's log after
//	        each look: {if, group, stream, region, as}, with the last line
//	        kept as "as".
//	look    a sensor's one look per poke; the same form. With a delay it
//	        looks several times within the poke.
//	fail    ends the attempt with a message; fatal: no retry, skip: skipped
//	set     keeps values under names;  push  publishes XComs now
//	log     writes a line;             end   ends with success, steps left out
//	code    calls a Go function, whose result is kept as "as" says
//
// The steps before the first wait that holds are carried out in the child,
// those from it on in the server. A stop lets a call under way be answered.
//
// accept lists what a reply means, and the first that matches decides:
//
//	path, is     the value at the path is this one, or one of a list. A path
//	             with [] compares any element, with "all": true all of at
//	             least one
//	error        the call failed with one of these errors, as in ignore. An
//	             error that nothing accepts fails the attempt
//	if           an expression is true; $reply is the reply
//	(nothing)    always
//	then         success, failure, fatal (no retry), skip or retry
//	message      of a failure; "${reply.a.b}" shows part of the reply
//
// # Expressions
//
//	"$name"            an argument, a result, or what "set" and "item" name
//	"$name.a[0].b"     a part; [-1] is the last; what is not there is None
//	"$name.a[].b"      b of each element, None left out, lists flattened
//	"text ${name.a}"   in a text, as Python's str()
//	"$$text"           a text that begins with a dollar sign
//	$REGION $EPOCH     the region; the time in seconds
//	$TOKEN             a UUID of run, task and attempt, for client tokens;
//	                   $TASKTOKEN the same for all attempts
//	$DAG $RUN $TASK    ids; $POLLS the looks so far
//
// and an object whose only member is one of
//
//	$or $and [...]     the first that is true (false), or the last, as in Python
//	$not $has x        not true; not None
//	$eq [a, b]         equality; $in [x, list or text]; $match [x, regexp]
//	$if [c, a, b]      a or b
//	$json $parse x     to JSON text as json.dumps; from it
//	$astext x          a text as it is, anything else as JSON
//	$literal x         a text that holds a Python literal; else as it is
//	$text $int $lower  conversions; $len; $decode64
//	$truthy x          None unless it is true
//	$list x            a list as it is, one thing as a list of one
//	$tags x            {k: v} to [{Key, Value}]; $pairs [x, "key", "value"]
//	$merge [...]       mappings laid over each other; $concat of lists
//	$each [list, e]    e of each element, which is $it
//	$find [s, regexp]  the first match, or its group; $join [sep, list]
//	$replace [s, a, b] in a text;  $jitter [a, b] random;  $grow n, for Batch
//	$quote x           x as it stands
//
// None is dropped from objects and lists, so an argument that is absent is
// left out of a request. A request that does not fit the operation fails the
// task with the Python SDK's words.
//
// # To add an operator
//
// Write its do, output, cancel and iam. If it calls an operation that nothing
// called before, generate package awscall anew ("make calls"). What the form
// cannot say goes into code: a function of type code in SERVICE.go, named
// "service.what" and found by serviceCode, which [codeOf] lists. It reads
// arguments from j (text, flag, number, texts, has, json), results with
// lookup, makes calls with j.call (callNow for one that changes nothing) and
// tells the log with say. TestStepsAreSound checks the data; TestLedger says
// what is missing.
//
// # To write its cases
//
// testdata/operators/SERVICE.txt holds cases against an endpoint that speaks
// the service's protocol and knows its model (package awstest):
//
//	== ClassName: what it shows
//	args {"name": "value"}
//	xcom task {"key": 1}           what another task published
//	> service:Operation {"Member": "the request; "*" is any value"}
//	< {"Member": "the reply"}
//	! ErrorCode message            an error instead of a reply
//	stop                           the attempt is told to end here
//	restart                        the server restarts here
//	pause 30s                      all pauses, if one is given
//	log a part of a line
//	success {"return_value": 1}    or failure, fatal, skip with a part of the
//	                               reason, or notyet for a sensor
//
// A line that begins with a space goes on with the one before. A request
// without JSON must be like the last one of its name in the case. Requests of
// a sensor go on from poke to poke. From each case that succeeds follow: the
// first call refused; a restart during the first wait, which starts nothing
// twice; a stop during it, unless the operator has a cancel, whose stop must
// be written.
package operator
