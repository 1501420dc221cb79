"""MAP estimation and re-noised posterior sampling with a denoiser; pure torch."""
