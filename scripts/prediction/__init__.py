"""Models of how customers go on: pure functions on arrays, with numpy and scipy only.

`bg_nbd`: purchases without a contract. `gamma_gamma`: the value of a purchase. `sbg`: renewals of a contract.
`survival`: whether groups leave at the same pace.
`fitting` holds the one maximiser they share and what a fit tells.
"""
