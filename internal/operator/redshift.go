package operator

import "context"

// redshiftCode returns the code of the Redshift operators' steps.
func redshiftCode(name string) code {
	switch name {
	case "redshift.results":
		return redshiftResults
	case "redshift.copy":
		return redshiftCopy
	case "redshift.unload":
		return redshiftUnload
	}
	return nil
}

// redshiftResults gets the first page of the result of each statement in ids.
func redshiftResults(ctx context.Context, j *job) (any, error) {
	v, _ := j.lookup("ids")
	ids, _ := v.([]any)
	results := []any{}
	for _, id := range ids {
		reply, err := j.call(ctx, "redshift-data:GetStatementResult", map[string]any{"Id": id})
		if err != nil {
			return nil, err
		}
		results = append(results, reply)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return results, nil
}
