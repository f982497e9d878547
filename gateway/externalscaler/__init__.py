"""KEDA's external scaler protocol; the stubs beside this file are made by `make`."""
