package operator
func s3Path(class string) string { return "airflow.providers.amazon.aws.operators.s3." + class }
