import numpy as np
from tailgate.frames import Intrinsics
from tailgate.geometry.lens import Distortion
for f,cx,cy,c,px in ((26.851315428797548,35.90106818057783,30.739372541120616,(-.469,.1054,-.0029,.0095),(20,38)),):
    d=Distortion("brown_conrady",c); print('reach',d.reach)
    t=((px[0]-cx)/f,(px[1]-cy)/f)
    g=np.linspace(-d.reach,d.reach,1201); X,Y=np.meshgrid(g,g)
    A,B=d._forward(X,Y); e=np.hypot(A-t[0],B-t[1]); e[np.hypot(X,Y)>d.reach]=9
    xx,xy,yy=d._slopes(X,Y); det=xx*yy-xy*xy
    i=np.unravel_index(np.argsort(e,axis=None)[:6],e.shape); print(t,e[i],X[i],Y[i],det[i])
    k=Intrinsics(64,48,f,f,cx,cy,d); u,v=np.meshgrid(np.arange(64),np.arange(48)); n=np.isnan(k.unproject(u,v)[0]); print(np.argwhere(n)[:, ::-1])
    x,y=k.unproject(u,v); print(np.hypot(x,y)[30:48,15:25].round(2))
