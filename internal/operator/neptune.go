package operator

import "context"

// neptuneCode returns the code of the Neptune operators' steps.
func neptuneCode(name string) code {
	switch name {
	case "neptune.start":
		return func(ctx context.Context, j *job) (any, error) { return neptuneChange(ctx, j, "neptune:StartDBCluster") }
	case "neptune.stop":
		return func(ctx context.Context, j *job) (any, error) { return neptuneChange(ctx, j, "neptune:StopDBCluster") }
	}
	return nil
}

// neptuneChange starts or stops the cluster. The service refuses that while
// the instances or the cluster are busy; what is to be waited for then is the
// result, "instances" or "cluster".
func neptuneChange(ctx context.Context, j *job, call string) (any, error) {
	_, err := j.call(ctx, call, map[string]any{"DBClusterIdentifier": j.text("db_cluster_id")})
	switch {
	case matches([]Fault{{Code: "InvalidDBInstanceState"}, {Code: "InvalidDBInstanceStateFault"}}, err):
		j.say("warning", "%v: waiting for the instances of the cluster", callError(err))
		return "instances", nil
	case matches([]Fault{{Code: "InvalidClusterState"}, {Code: "InvalidDBClusterStateFault"}}, err):
		j.say("warning", "%v: waiting for the cluster", callError(err))
		return "cluster", nil
	}
	return nil, err
}
