"""The gateway as KEDA's external scaler: any one replica answers for all of them."""
