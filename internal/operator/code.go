package operator

// codeOf returns the Go function that a step or look names, or nil. Those of
// a service stand in a file of their own.
func codeOf(name string) code {
	for _, find := range []func(string) code{
		appflowCode,
		bedrockCode,
		datasyncCode,
		dmsCode,
		dynamodbCode,
		ec2Code,
		ecsCode,
		eksCode,
		glueCode,
		neptuneCode,
		rdsCode,
		redshiftCode,
		sagemakerCode,
		snsCode,
		sqsCode,
	} {
		if c := find(name); c != nil {
			return c
		}
	}
	return nil
}
